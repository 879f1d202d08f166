"""GGUF files of which transformers would ignore or invent a part are refused, and never enter the cache."""

from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGUFWriter, RopeScalingType
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedModel
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from demo.engines.local.loading.cache_dir import cache_dir
from demo.engines.local.loading.conversion import convert_once
from demo.errors import ModelError
from tests.engines.local.tiny import LLAMA, LLAMA_3
from tests.engines.local.tiny_files import CONTEXT, Recipe, load, write_gguf

WIDE = LLAMA | {"hidden_size": 64}


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def refuse(path: Path, dtype: str) -> str:
    with pytest.raises(ModelError) as refusal:
        load(path, dtype)
    assert [each for each in cache_dir().glob("*") if each.is_dir()] == []
    return str(refusal.value)


@pytest.mark.parametrize("dtype", ["auto", "float32"])
@pytest.mark.parametrize(
    ("lost", "named"),
    [
        ("blk.1.ffn_up", "model.layers.1.mlp.up_proj.weight"),
        ("token_embd", "model.embed_tokens.weight"),
        ("blk.0.attn_k", "model.layers.0.self_attn.k_proj.weight"),
    ],
)
def test_a_file_that_lacks_a_tensor_is_refused_with_its_name(lost: str, named: str, dtype: str, tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "partial.gguf", Recipe(left_out=lost))
    assert refuse(file, dtype) == (
        f"{file} lacks 1 of the weights that its configuration asks for, {named} first: "
        "download it again, or give another model."
    )


def add_a_norm(writer: GGUFWriter) -> None:
    writer.add_tensor("blk.1.attn_q_norm.weight", np.ones(8, np.float32))


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (Recipe(biases=True), "does not read from GGUF files (16, blk.0.attn_k.bias first)"),
        (Recipe(change=add_a_norm), "does not read from GGUF files (1, blk.1.attn_q_norm.weight first)"),
        (
            Recipe(change=lambda writer: writer.add_rope_scaling_type(RopeScalingType.YARN)),
            "scales its rotary embeddings (yarn)",
        ),
    ],
)
def test_what_transformers_would_leave_out_is_refused(recipe: Recipe, said: str, tmp_path: Path) -> None:
    assert said in refuse(write_gguf(tmp_path / "more.gguf", recipe), "auto")


@pytest.mark.parametrize(("original", "kind"), [(8192, "llama3"), (64, "longrope")])
def test_llama_3_s_frequencies_are_those_of_the_file(original: int, kind: str, tmp_path: Path) -> None:
    rope = {"rope_parameters": LLAMA_3 | {"original_max_position_embeddings": original}}
    stretched, plain = (LlamaRotaryEmbedding(LlamaConfig(**(WIDE | each))).inv_freq for each in (rope, {}))
    file = write_gguf(tmp_path / "stretched.gguf", Recipe(hidden=64, rope_freqs=tuple((plain / stretched).tolist())))
    network: PreTrainedModel = AutoModelForCausalLM.from_pretrained(convert_once(file, print), dtype=torch.float32)
    assert network.config.rope_parameters["rope_type"] == kind
    with torch.inference_mode():
        network(torch.zeros(1, CONTEXT, dtype=torch.int64))  # the longest text, for which it could take others
    torch.testing.assert_close(network.model.rotary_emb.inv_freq, stretched)
    assert network.model.rotary_emb.attention_scaling == 1


def test_a_folder_of_an_earlier_format_is_not_used_and_is_removed(tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "tiny.gguf")
    folder = convert_once(file, print)
    earlier = folder.rename(folder.with_name(f"{folder.name.rpartition('-')[0]}-1"))
    assert convert_once(file, print) == folder
    assert not earlier.exists()
