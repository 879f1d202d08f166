"""What the fast path does not take is told in one sentence, and what it takes has no obstacle."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFWriter
from gguf.quants import quantize

from demo.engine.llama.linear import find_missing_kernels
from demo.engine.llama.obstacle import find_obstacle
from demo.engine.model import load_model
from demo.errors import SettingError
from demo.settings import Settings
from tests.engine.tiny_files import Recipe, write_gguf

PLAIN = Recipe()
MISFIT = ".weight is not of the shape that its metadata tell"


def scale_rope(writer: GGUFWriter) -> None:
    writer.add_string("llama.rope.scaling.type", "yarn")


def add_experts(writer: GGUFWriter) -> None:
    writer.add_expert_count(8)


def count_kv_heads_by_layer(writer: GGUFWriter) -> None:
    writer.add_array("llama.attention.head_count_kv", [2, 1])


def add_an_unread_form(writer: GGUFWriter) -> None:
    blocks = quantize(np.ones((4, 32), np.float32), GGMLQuantizationType.Q5_0)
    writer.add_tensor("extra.weight", blocks, raw_dtype=GGMLQuantizationType.Q5_0)


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (replace(PLAIN, architecture="qwen2"), "qwen2 is not of the Llama family"),
        (replace(PLAIN, biases=True), "its projections have biases"),
        (replace(PLAIN, template=""), "it has no chat template"),
        (replace(PLAIN, change=scale_rope), "it scales its rotary embeddings"),
        (replace(PLAIN, change=add_experts), "it is a mixture of experts"),
        (replace(PLAIN, change=count_kv_heads_by_layer), f"its blk.0.attn_k{MISFIT}"),
        (replace(PLAIN, rotated=4), f"its blk.0.attn_q{MISFIT}"),
        (replace(PLAIN, left_out="blk.1.ffn_up"), "it has no blk.1.ffn_up.weight"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_a_file_that_is_no_plain_llama_says_what_it_is(recipe: Recipe, said: str, tmp_path: Path) -> None:
    assert find_obstacle(write_gguf(tmp_path / "stranger.gguf", recipe)) == said


def test_a_form_that_is_not_read_here_is_named(tmp_path: Path) -> None:
    said = find_obstacle(write_gguf(tmp_path / "stranger.gguf", replace(PLAIN, change=add_an_unread_form)))
    assert "holds tensors of ggml type 6, which is not read here" in said
    assert ". " not in said


def test_numbers_that_are_missing_are_named(tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "nameless.gguf")
    file.write_bytes(file.read_bytes().replace(b"llama.embedding_length", b"llama.embedding_depth_"))
    assert find_obstacle(file) == "the file does not say its llama.embedding_length"


def keep(share: float) -> Callable[[bytes], bytes]:
    return lambda whole: whole[: int(len(whole) * share)]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (keep(0), "the file can't be read as it is (cannot mmap an empty file)"),
        (keep(0.01), "the file can't be read as it is ("),
        (keep(0.9), "the file ends before its weights do"),
        (lambda whole: b"no such thing" * 1000, "the file can't be read as it is ("),
        (lambda whole: whole[:30] + b"\xff" * 200 + whole[230:], "the file can't be read as it is ("),
    ],
    ids=["empty", "its beginning alone", "without its end", "text", "scrambled"],
)
def test_a_damaged_file_is_one_short_sentence(damage: Callable[[bytes], bytes], said: str, tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "damaged.gguf")
    file.write_bytes(damage(file.read_bytes()))
    told = find_obstacle(file)
    assert told.startswith(said)
    assert len(told) < 300
    assert len(told.splitlines()) == 1
    assert ". " not in told


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    assert find_obstacle(tmp_path / "nowhere.gguf").startswith("the file can't be read as it is (")


def test_plain_numbers_need_no_kernels_and_packed_ones_do(tmp_path: Path) -> None:
    assert find_obstacle(write_gguf(tmp_path / "plain.gguf", PLAIN)) == ""
    packed = find_obstacle(write_gguf(tmp_path / "packed.gguf", replace(PLAIN, forms={"attn_q": "Q8_0"})))
    assert packed == find_missing_kernels()


def test_who_asks_for_stored_weights_is_told_the_obstacle_and_the_remedy(tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "biased.gguf", replace(PLAIN, biases=True))
    with pytest.raises(SettingError) as refusal:
        load_model(Settings(model_id=str(file), dtype="stored", device="cpu"), lambda loading: None)
    assert str(refusal.value) == "--dtype is 'stored', but its projections have biases: use auto."
