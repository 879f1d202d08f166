"""Llamas from folders of safetensors, compared with transformers in float32 on the same folders."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, MistralConfig

from demo.engines.local.runners.cpu_llama.weights.safetensors import LlamaFolder
from tests.engines.local.following import follow, make_ids, open_runner
from tests.engines.local.runners.cpu_llama.weights.exact import NEW, assert_alike, follow_exactly, read_exactly
from tests.engines.local.tiny import GROUPED, LLAMA, LLAMA_3, build_network
from tests.engines.local.tiny_files import change_json, save_folder

DTYPES = ["float32", "bfloat16", "float16"]


def save_llama(folder: Path, dtype: str = "float32", max_shard_size: str = "1GB", **changes: Any) -> Path:
    """A random Llama with these numbers, its weights in that dtype."""
    network = build_network(LlamaConfig(**(LLAMA | changes)))
    return save_folder(folder, network.to(getattr(torch, dtype)), max_shard_size=max_shard_size)


def assert_same_logits(folder: Path, length: int = 20) -> None:
    prompt = make_ids(length)
    assert_alike(follow(open_runner(folder), prompt, NEW), follow_exactly(read_exactly(folder), prompt))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("tied", [False, True], ids=["with a head", "tied"])
def test_the_logits_are_those_of_transformers_in_float32(dtype: str, tied: bool, tmp_path: Path) -> None:
    folder = save_llama(tmp_path, dtype, tie_word_embeddings=tied)
    assert LlamaFolder(folder).dtype == dtype
    assert_same_logits(folder, 200)


def test_weights_may_lie_in_several_files(tmp_path: Path) -> None:
    folder = save_llama(tmp_path, max_shard_size="30KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 2
    assert_same_logits(folder)


def test_one_file_comes_before_several_as_it_does_for_transformers(tmp_path: Path) -> None:
    folder = save_llama(tmp_path)
    (folder / "model.safetensors.index.json").write_text('{"metadata": {}, "weight_map": {"x": "nowhere.safetensors"}}')
    assert_same_logits(folder)


@pytest.mark.parametrize(
    "changes", [{"head_dim": 4}, {"head_dim": 16}, {"num_key_value_heads": 1}, {"num_key_value_heads": 4}], ids=str
)
def test_the_size_of_heads_and_the_number_of_kv_heads_are_the_configs(changes: dict[str, Any], tmp_path: Path) -> None:
    assert_same_logits(save_llama(tmp_path, "bfloat16" if "head_dim" in changes else "float32", **changes))


@pytest.mark.parametrize("rope", [LLAMA_3, {"rope_type": "linear", "factor": 4.0}], ids=lambda rope: rope["rope_type"])
def test_frequencies_are_scaled_as_the_config_says(rope: dict[str, Any], tmp_path: Path) -> None:
    stretched = save_llama(tmp_path / "stretched", hidden_size=64, rope_parameters=rope)
    assert_same_logits(stretched, 200)
    usual = save_llama(tmp_path / "usual", hidden_size=64)
    ours, theirs = (follow_exactly(read_exactly(folder), make_ids(200)) for folder in (usual, stretched))
    assert float((ours - theirs).norm()) > 1


def test_a_config_of_transformers_4_says_the_same(tmp_path: Path) -> None:
    folder = save_llama(tmp_path, hidden_size=64, rope_parameters={**LLAMA_3, "rope_theta": 500.0})
    new = follow(open_runner(folder), make_ids(200), NEW)
    scaling = {name: value for name, value in LLAMA_3.items() if name != "rope_theta"}
    change_json(folder / "config.json", rope_parameters=None, rope_scaling=scaling, rope_theta=500.0)
    assert torch.equal(follow(open_runner(folder), make_ids(200), NEW), new)


def test_a_mistral_without_a_sliding_window_is_a_llama(tmp_path: Path) -> None:
    network = build_network(MistralConfig(**GROUPED, sliding_window=None))
    assert_same_logits(save_folder(tmp_path, network), 200)
