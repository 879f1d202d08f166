"""Whole Llamas out of folders of safetensors, against transformers' own reading of the same folders in float32."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig, PreTrainedModel

from demo.engines.local.runner import Runner
from demo.engines.local.runners.cpu_llama.runner import CpuLlamaRunner
from demo.engines.local.runners.cpu_llama.weights.checkpoint import build_llama
from demo.engines.local.runners.cpu_llama.weights.safetensors import LlamaFolder
from demo.engines.local.runners.cpu_llama.weights.unsupported import find_unsupported_reason
from tests.engines.local.following import MEMORY, assert_alike, follow, follow_exactly, make_ids
from tests.engines.local.tiny import GROUPED, LLAMA, LLAMA_3, build_network
from tests.engines.local.tiny_files import change_json, save_folder

LENGTHS = [20, 200]  # a short prompt and one that is read in blocks
NEW = make_ids(24, seed=1)
DTYPES = ["float32", "bfloat16", "float16"]


def save_llama(folder: Path, dtype: str = "float32", max_shard_size: str = "1GB", **changes: Any) -> Path:
    """A random Llama with these numbers, its weights in that dtype."""
    network = build_network(LlamaConfig(**(LLAMA | changes)))
    return save_folder(folder, network.to(getattr(torch, dtype)), max_shard_size=max_shard_size)


def open_runner(folder: Path) -> Runner:
    assert find_unsupported_reason(folder) == ""
    return CpuLlamaRunner(build_llama(LlamaFolder(folder)), MEMORY)


def read_exactly(folder: Path) -> PreTrainedModel:
    """The folder as transformers reads it."""
    network: PreTrainedModel = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    network.eval()
    return network


def assert_same_logits(folder: Path, length: int) -> None:
    ours, exact = (
        follow(open_runner(folder), make_ids(length), NEW),
        follow_exactly(read_exactly(folder), make_ids(length), NEW),
    )
    assert_alike(ours, exact)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("tied", [False, True], ids=["with a head", "tied"])
@pytest.mark.parametrize("length", LENGTHS)
def test_the_logits_are_those_of_the_general_path_in_float32(
    dtype: str, tied: bool, length: int, tmp_path: Path
) -> None:
    folder = save_llama(tmp_path, dtype, tie_word_embeddings=tied)
    assert LlamaFolder(folder).dtype == dtype
    assert_same_logits(folder, length)


def test_weights_may_lie_in_several_files(tmp_path: Path) -> None:
    folder = save_llama(tmp_path, max_shard_size="30KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 2
    assert_same_logits(folder, 20)


def test_one_file_comes_before_several_as_it_does_for_transformers(tmp_path: Path) -> None:
    folder = save_llama(tmp_path)
    (folder / "model.safetensors.index.json").write_text('{"metadata": {}, "weight_map": {"x": "nowhere.safetensors"}}')
    assert_same_logits(folder, 20)


@pytest.mark.parametrize("head_size", [4, 16])
def test_heads_may_have_another_size_than_the_hidden_states_tell(head_size: int, tmp_path: Path) -> None:
    assert_same_logits(save_llama(tmp_path, "bfloat16", head_dim=head_size), 20)


@pytest.mark.parametrize("kv_heads", [1, 4])
def test_keys_may_have_one_head_or_as_many_as_queries(kv_heads: int, tmp_path: Path) -> None:
    assert_same_logits(save_llama(tmp_path, num_key_value_heads=kv_heads), 20)


@pytest.mark.parametrize("rope", [LLAMA_3, {"rope_type": "linear", "factor": 4.0}], ids=lambda rope: rope["rope_type"])
def test_frequencies_are_stretched_as_the_config_says(rope: dict[str, Any], tmp_path: Path) -> None:
    stretched = save_llama(tmp_path / "stretched", hidden_size=64, rope_parameters=rope)
    assert_same_logits(stretched, 200)
    usual = save_llama(tmp_path / "usual", hidden_size=64)
    assert (
        float(
            (
                follow_exactly(read_exactly(usual), make_ids(200), NEW)
                - follow_exactly(read_exactly(stretched), make_ids(200), NEW)
            ).norm()
        )
        > 1
    )


def test_a_config_of_transformers_4_says_the_same(tmp_path: Path) -> None:
    folder = save_llama(tmp_path, hidden_size=64, rope_parameters={**LLAMA_3, "rope_theta": 500.0})
    new = follow(open_runner(folder), make_ids(200), NEW)
    scaling = {name: value for name, value in LLAMA_3.items() if name != "rope_theta"}
    change_json(folder / "config.json", rope_parameters=None, rope_scaling=scaling, rope_theta=500.0)
    assert torch.equal(follow(open_runner(folder), make_ids(200), NEW), new)


def test_a_mistral_that_sees_everything_is_a_llama(tmp_path: Path) -> None:
    network = build_network(MistralConfig(**GROUPED, sliding_window=None))
    assert_same_logits(save_folder(tmp_path, network), 200)
