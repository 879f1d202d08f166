"""Whole Llamas out of GGUF files, against transformers' own reading of the same files in float32."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedModel

from demo.engines.local.runners.cpu_llama.kernels import find_missing_kernels
from demo.engines.local.runners.cpu_llama.loading import load_llama
from demo.engines.local.runners.cpu_llama.weights.unsupported import find_unsupported_reason
from tests.engines.local.following import MEMORY, assert_alike, follow, follow_exactly, make_ids
from tests.engines.local.tiny import LLAMA_3
from tests.engines.local.tiny_files import Recipe, write_gguf
from tests.engines.local.tiny_weights import EIGHT_BIT_FORMS, FOUR_BIT_FORMS, PLAIN_FORMS

pytestmark = pytest.mark.skipif(find_missing_kernels() != "", reason=find_missing_kernels())

LENGTHS = [20, 200]  # a short prompt and one that is read in blocks
NEW = make_ids(24, seed=1)
LIKELIEST = 24


def read_exactly(path: Path) -> PreTrainedModel:
    """The file as transformers reads it."""
    network: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32
    )
    network.eval()
    return network


def follow_both(path: Path, length: int, exact: PreTrainedModel | None = None) -> tuple[Tensor, Tensor]:
    """Logits of the fast path and of the general one, after the same tokens."""
    prompt = make_ids(length)
    assert find_unsupported_reason(path) == ""
    network = exact or read_exactly(path)
    return follow(load_llama(path).make_runner(MEMORY), prompt, NEW), follow_exactly(network, prompt, NEW)


def distance(ours: Tensor, exact: Tensor) -> float:
    """How far the logits of the likeliest tokens are, beside how large they are: others may be rounded more."""
    ids = exact.topk(LIKELIEST, dim=-1).indices
    ours, exact = ours.gather(1, ids), exact.gather(1, ids)
    return float((ours - exact).norm() / exact.norm())


@pytest.mark.parametrize("form", PLAIN_FORMS)
@pytest.mark.parametrize("length", LENGTHS)
def test_plain_numbers_give_the_logits_of_the_general_path(form: str, length: int, tmp_path: Path) -> None:
    ours, exact = follow_both(write_gguf(tmp_path / "plain.gguf", Recipe(form=form)), length)
    assert_alike(ours, exact)


@pytest.mark.parametrize("form", FOUR_BIT_FORMS)
@pytest.mark.parametrize("length", LENGTHS)
def test_four_bits_give_logits_within_two_hundredths_of_the_general_path_s(
    form: str, length: int, tmp_path: Path
) -> None:
    ours, exact = follow_both(write_gguf(tmp_path / "four.gguf", Recipe(form=form, hidden=256)), length)
    assert distance(ours, exact) < 0.02


@pytest.mark.parametrize("form", EIGHT_BIT_FORMS)
@pytest.mark.parametrize("length", LENGTHS)
def test_other_packed_forms_give_logits_within_a_twentieth_of_the_general_path_s(
    form: str, length: int, tmp_path: Path
) -> None:
    ours, exact = follow_both(write_gguf(tmp_path / "eight.gguf", Recipe(form=form, hidden=256)), length)
    assert distance(ours, exact) < 0.05


@pytest.mark.parametrize("recipe", [Recipe(tied=True), Recipe(form="Q4_0", tied=True, forms={"token_embd": "Q8_0"})])
def test_a_head_tied_to_the_embedding_is_the_embedding(recipe: Recipe, tmp_path: Path) -> None:
    ours, exact = follow_both(write_gguf(tmp_path / "tied.gguf", recipe), 20)
    assert distance(ours, exact) < 0.02


MIXED = {"attn_v": "Q6_K", "ffn_down": "Q6_K", "output": "Q6_K", "token_embd": "Q4_K"}


@pytest.mark.parametrize("recipe", [Recipe(form="Q4_K", forms=MIXED, hidden=256), Recipe(forms={"attn_k": "Q8_0"})])
def test_a_file_may_mix_its_forms(recipe: Recipe, tmp_path: Path) -> None:
    ours, exact = follow_both(write_gguf(tmp_path / "mixed.gguf", recipe), 20)
    assert distance(ours, exact) < 0.03


def test_stretched_frequencies_are_those_of_llama_3(tmp_path: Path) -> None:
    plain = write_gguf(tmp_path / "plain.gguf", Recipe(hidden=64))
    usual = read_exactly(plain)
    network, factors = stretch(usual)
    assert min(factors) == 1
    assert max(factors) > 7
    file = write_gguf(tmp_path / "stretched.gguf", Recipe(hidden=64, rope_freqs=factors))
    ours, exact = follow_both(file, 200, network)
    assert_alike(ours, exact)
    assert distance(follow_exactly(usual, make_ids(200), NEW), exact) > 0.01


def stretch(usual: PreTrainedModel) -> tuple[PreTrainedModel, tuple[float, ...]]:
    """A network with the frequencies of Llama 3, of which transformers reads in configs only; and what divides them."""
    config = LlamaConfig.from_dict(usual.config.to_dict() | {"rope_parameters": LLAMA_3})
    network = LlamaForCausalLM(config).eval()
    network.load_state_dict(usual.state_dict())
    frequencies = [each.model.rotary_emb.inv_freq for each in (usual, network)]
    return network, tuple((frequencies[0] / frequencies[1]).tolist())
