"""Models that the CPU kernels cannot run have a reason of one sentence, and others have none."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, GGUFWriter
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import LlamaConfig

from demo.engines.local.runners.cpu_llama.kernels import find_missing_kernels
from demo.engines.local.runners.cpu_llama.weights.unsupported import open_checkpoint
from tests.engines.local.tiny import LLAMA, build_network, make_network
from tests.engines.local.tiny_files import Recipe, change_json, damage_file, keep, save_folder, write_gguf

MISFIT = ".weight is not the one that its metadata name"


def add_an_unread_type(writer: GGUFWriter) -> None:
    writer.add_tensor("extra.weight", np.ones((4, 40), np.uint8), raw_dtype=GGMLQuantizationType.Q8_1)


def add_an_unknown_tensor(writer: GGUFWriter) -> None:
    writer.add_tensor("blk.1.attn_q_norm.weight", np.ones(8, np.float32))


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (Recipe(architecture="gpt2"), "gpt2 is not of the Llama family"),
        (Recipe(biases=True), "its projections have biases"),
        (
            Recipe(change=lambda writer: writer.add_string("llama.rope.scaling.type", "yarn")),
            "it scales its rotary embeddings",
        ),
        (Recipe(change=lambda writer: writer.add_expert_count(8)), "it is a mixture of experts"),
        (
            Recipe(change=lambda writer: writer.add_array("llama.attention.head_count_kv", [2, 1])),
            f"the shape of its blk.0.attn_k{MISFIT}",
        ),
        (Recipe(change=add_an_unknown_tensor), "it has blk.1.attn_q_norm.weight, which is no part of a plain ll"),
        (Recipe(change=add_an_unread_type), "it holds tensors of type Q8_1, which is not read here"),
        (Recipe(rotated=4), "it rotates a part of each head"),
        (Recipe(left_out="blk.1.ffn_up"), "it has no blk.1.ffn_up.weight"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_a_file_that_is_no_plain_llama_has_its_reason(recipe: Recipe, said: str, tmp_path: Path) -> None:
    assert open_checkpoint(write_gguf(tmp_path / "stranger.gguf", recipe))[1].startswith(said)


def test_numbers_that_are_missing_are_named(tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "nameless.gguf")
    file.write_bytes(file.read_bytes().replace(b"llama.embedding_length", b"llama.embedding_depth_"))
    assert open_checkpoint(file)[1] == "the file has no llama.embedding_length"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (keep(0), "the file can't be read as it is (it is no GGUF file)"),
        (keep(0.01), "the file can't be read as it is ("),
        (keep(0.9), "the file can't be read as it is (it ends after 131990 of 146656 bytes)"),
        (lambda whole: b"no such thing" * 1000, "the file can't be read as it is ("),
        (lambda whole: whole[:30] + b"\xff" * 200 + whole[230:], "the file can't be read as it is ("),
    ],
    ids=["empty", "its beginning alone", "without its end", "text", "scrambled"],
)
def test_a_damaged_file_is_one_short_sentence(damage: Callable[[bytes], bytes], said: str, tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "damaged.gguf")
    file.write_bytes(damage(file.read_bytes()))
    assert_short(open_checkpoint(file)[1], said)


def assert_short(reason: str, beginning: str) -> None:
    """A reason is a part of one sentence."""
    assert reason.startswith(beginning)
    assert len(reason) < 300
    assert len(reason.splitlines()) == 1
    assert ". " not in reason


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    assert open_checkpoint(tmp_path / "nowhere.gguf")[1].startswith("the file can't be read as it is (")


def test_what_the_processor_lacks_is_the_reason_for_either_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, folder = write_gguf(tmp_path / "plain.gguf"), save_folder(tmp_path / "saved")
    assert open_checkpoint(file)[1] == open_checkpoint(folder)[1] == find_missing_kernels()
    monkeypatch.setattr("numba.config.CPU_FEATURES", "+avx2,+f16c")
    assert open_checkpoint(file)[1] == open_checkpoint(folder)[1] == "this processor has no FMA"


def test_vectors_that_fill_no_lanes_are_a_reason(tmp_path: Path) -> None:
    folder = save_folder(tmp_path, build_network(LlamaConfig(**{**LLAMA, "intermediate_size": 40})))
    assert open_checkpoint(folder)[1] == "its feed-forward vectors have 40 numbers, which is no multiple of 16"


def set_config(**changes: object) -> Callable[[Path], None]:
    return lambda folder: change_json(folder / "config.json", **changes)


def set_weight(name: str, weight: Tensor | None) -> Callable[[Path], None]:
    """Another tensor of this name, or none."""

    def change(folder: Path) -> None:
        file = folder / "model.safetensors"
        tensors = {each: tensor for each, tensor in load_file(file).items() if each != name}
        save_file(tensors if weight is None else tensors | {name: weight}, file, {"format": "pt"})

    return change


def damage(name: str, change: Callable[[bytes], bytes] | None) -> Callable[[Path], None]:
    return lambda folder: damage_file(folder / name, change)


def lose_a_shard(folder: Path) -> None:
    make_network().save_pretrained(folder, max_shard_size="30KB")
    (folder / "model.safetensors").unlink()
    min(folder.glob("model-*.safetensors")).unlink()


UP = "model.layers.1.mlp.up_proj.weight"
YARN = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0}
PARTIAL = {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (set_config(model_type="gpt2"), "gpt2 is not of the Llama family"),
        (set_config(model_type="qwen2"), "it has no model.layers.0.self_attn.q_proj.bias"),
        (set_config(model_type=None), "the file has no model_type"),
        (set_config(quantization_config={"quant_method": "gptq"}), "its weights are quantized in a way that only tr"),
        (set_config(attention_bias=True), "its projections have biases"),
        (set_config(mlp_bias=True), "its projections have biases"),
        (set_config(hidden_act="gelu"), "its activation is gelu"),
        (set_config(rope_parameters=YARN), "it scales its rotary embeddings"),
        (set_config(rope_parameters=PARTIAL), "it rotates a part of each head"),
        (set_config(hidden_size=64), "the shape of its model.embed_tokens.weight is not the one"),
        (set_config(num_key_value_heads=1), "the shape of its model.layers.0.self_attn.k_proj.weight is not the one"),
        (set_config(num_attention_heads=5), "the file can't be read as it is (Class validation error "),
        (set_weight(UP, None), f"it has no {UP}"),
        (set_weight(UP, torch.ones(64, 31)), f"the shape of its {UP} is not the one that its metadata name"),
        (set_weight(UP, torch.ones(64, 32).to(torch.float8_e4m3fn)), "it has weights of type F8_E4M3"),
        (set_weight("lm_head.weight", None), "it has no lm_head.weight"),
        (damage("model.safetensors", None), "its weights are not in safetensors files"),
        (lose_a_shard, "the file can't be read as it is (No such file or directory: "),
        (damage("config.json", None), "the file can't be read as it is ([Errno 2] No such file or directory: "),
        (damage("config.json", lambda whole: b"{"), "the file can't be read as it is ("),
        (damage("model.safetensors", keep(0.9)), "the file can't be read as it is (Error while deserializing "),
        (damage("model.safetensors", keep(0)), "the file can't be read as it is ("),
        (damage("model.safetensors", lambda whole: b"text"), "the file can't be read as it is ("),
    ],
)
def test_a_folder_of_no_plain_llama_has_its_reason(change: Callable[[Path], None], said: str, tmp_path: Path) -> None:
    folder = save_folder(tmp_path / "stranger")
    assert open_checkpoint(folder)[1] == ""
    change(folder)
    assert_short(open_checkpoint(folder)[1], said)
