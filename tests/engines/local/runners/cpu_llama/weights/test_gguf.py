"""Llamas from GGUF files, compared with transformers in float32 on the same files."""

from pathlib import Path

import pytest
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from tests.engines.local.following import follow, make_ids, open_runner
from tests.engines.local.runners.cpu_llama.weights.exact import NEW, assert_alike, follow_exactly, read_exactly
from tests.engines.local.tiny import LLAMA_3
from tests.engines.local.tiny_files import Recipe, write_gguf
from tests.engines.local.tiny_weights import EXACT_FORMS, FOUR_BIT_FORMS, PLAIN_FORMS, ROUNDED_FORMS

LENGTHS = [20, 200]  # a prompt of one chunk, and one of two
LIKELIEST = 24


def follow_both(path: Path, length: int, exact: PreTrainedModel | None = None) -> tuple[Tensor, Tensor]:
    """Logits of the CPU kernels and of transformers after the same tokens."""
    prompt = make_ids(length)
    return follow(open_runner(path), prompt, NEW), follow_exactly(exact or read_exactly(path), prompt)


def distance(ours: Tensor, exact: Tensor) -> float:
    """The relative distance of the logits of the likeliest tokens; those of others may be rounded more."""
    ids = exact.topk(LIKELIEST, dim=-1).indices
    ours, exact = ours.gather(1, ids), exact.gather(1, ids)
    return float((ours - exact).norm() / exact.norm())


@pytest.mark.parametrize("form", PLAIN_FORMS)
@pytest.mark.parametrize("length", LENGTHS)
def test_plain_numbers_give_the_logits_of_transformers(form: str, length: int, tmp_path: Path) -> None:
    assert_alike(*follow_both(write_gguf(tmp_path / "plain.gguf", Recipe(form=form)), length))


@pytest.mark.parametrize(
    ("form", "length"),
    [
        *((form, length) for form in FOUR_BIT_FORMS for length in LENGTHS),
        *((form, 20) for form in (*EXACT_FORMS, *ROUNDED_FORMS) if form not in FOUR_BIT_FORMS),
    ],
)
def test_packed_forms_give_logits_near_those_of_transformers(form: str, length: int, tmp_path: Path) -> None:
    ours, exact = follow_both(write_gguf(tmp_path / "packed.gguf", Recipe(form=form, hidden=256)), length)
    assert distance(ours, exact) < (0.02 if form in FOUR_BIT_FORMS else 0.05)


MIXED = {"attn_v": "Q6_K", "ffn_down": "Q6_K", "output": "Q6_K", "token_embd": "Q4_K"}


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(tied=True),
        Recipe(form="Q4_0", tied=True, forms={"token_embd": "Q8_0"}),
        Recipe(form="Q4_K", forms=MIXED, hidden=256),
        Recipe(forms={"attn_k": "Q8_0"}),
    ],
    ids=["tied", "tied and packed", "mixed", "packed keys"],
)
def test_a_file_may_mix_its_forms_and_tie_its_head_to_the_embedding(recipe: Recipe, tmp_path: Path) -> None:
    assert distance(*follow_both(write_gguf(tmp_path / "mixed.gguf", recipe), 20)) < 0.03


def test_scaled_frequencies_are_those_of_llama_3(tmp_path: Path) -> None:
    plain = write_gguf(tmp_path / "plain.gguf", Recipe(hidden=64))
    usual = read_exactly(plain)
    network, factors = stretch(usual)
    assert min(factors) == 1
    assert max(factors) > 7
    file = write_gguf(tmp_path / "stretched.gguf", Recipe(hidden=64, rope_freqs=factors))
    ours, exact = follow_both(file, 200, network)
    assert_alike(ours, exact)
    assert distance(follow_exactly(usual, make_ids(200)), exact) > 0.01


def stretch(usual: PreTrainedModel) -> tuple[PreTrainedModel, tuple[float, ...]]:
    """The network with Llama 3's frequencies, which transformers reads from configs only; and their divisors."""
    config = LlamaConfig.from_dict(usual.config.to_dict() | {"rope_parameters": LLAMA_3})
    network = LlamaForCausalLM(config).eval()
    network.load_state_dict(usual.state_dict())
    frequencies = [each.model.rotary_emb.inv_freq for each in (usual, network)]
    return network, tuple((frequencies[0] / frequencies[1]).tolist())
