"""The header of GGUF files, against transformers' own reading of it, and damaged files."""

import contextlib
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader, GGUFWriter
from transformers.integrations.gguf.reader import GgufHeader, read_gguf_metadata

from demo.engines.local.loading.gguf import read_header
from tests.engines.local.tiny_files import Recipe, keep, write_gguf

TEXTS = ["tokenizer.ggml.tokens", "tokenizer.ggml.merges"]


def add_every_type(writer: GGUFWriter) -> None:
    for name in ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"):
        getattr(writer, f"add_{name}")(f"a.{name}", 100)
    writer.add_float32("a.float32", 0.1)
    writer.add_float64("a.float64", 0.1)
    writer.add_bool("a.bool", True)
    writer.add_string("a.string", "日本 🧀")
    writer.add_array("an.array", [1, -2, 3])
    writer.add_array("an.array.of.floats", [0.5, 1.5])


@pytest.mark.parametrize("recipe", [Recipe(change=add_every_type), Recipe(form="Q4_K", hidden=256, tied=True)])
def test_metadata_and_tensors_are_those_that_transformers_and_gguf_read(recipe: Recipe, tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "tiny.gguf", recipe)
    header = read_header(file)
    metadata, _ = read_gguf_metadata(str(file), TEXTS)
    theirs = GgufHeader.from_file(str(file))
    fields = {name: each for name, each in GGUFReader(file).fields.items() if not name.startswith("GGUF.")}
    assert header.metadata == metadata == {name: field.contents() for name, field in fields.items()}
    assert {name: (each.shape, each.quantization, each.offset, each.size) for name, each in header.tensors.items()} == {
        each.name: (each.shape, each.ggml_type, theirs.data_start + each.offset, each.nbytes) for each in theirs.tensors
    }


def test_data_begin_where_the_file_s_own_alignment_says(tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "tiny.gguf", Recipe(change=lambda writer: writer.add_custom_alignment(1024)))
    first = min(each.offset for each in read_header(file).tensors.values())
    assert first == GgufHeader.from_file(str(file)).data_start
    assert first % 1024 == 0


@pytest.mark.parametrize(
    ("begin", "said"),
    [
        (b"GGUX", "it is no GGUF file"),
        (b"GGUF\x01\0\0\0", "it is of version 1 of the format, and 2 and 3 are read"),
        (b"GGUF\x03\0\0\0" + struct.pack("<QQ", 1 << 60, 1 << 60), "is damaged|ends before"),
    ],
)
def test_other_files_and_other_versions_are_refused_by_name(begin: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "other.gguf"
    file.write_bytes(begin + bytes(100))
    with pytest.raises(ValueError, match=said):
        read_header(file)


def test_a_big_endian_file_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "big.gguf"
    file.write_bytes(b"GGUF" + struct.pack(">IQQ", 3, 0, 0) + bytes(100))
    with pytest.raises(ValueError, match="it is a big-endian file"):
        read_header(file)


def scramble(seed: int) -> Callable[[bytes], bytes]:
    """Other bytes in some places of the header."""

    def change(whole: bytes) -> bytes:
        random = np.random.default_rng(seed)
        content = np.frombuffer(whole, np.uint8).copy()
        content[random.integers(8, 8000, 40)] = random.integers(256, size=40)
        return bytes(content)

    return change


@pytest.mark.parametrize(
    "damage", [*map(keep, (0, 0.001, 0.01, 0.05, 0.5, 0.999)), *map(scramble, range(8))], ids=lambda each: ""
)
def test_a_damaged_file_is_refused_or_has_all_its_tensors(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "damaged.gguf")
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    with contextlib.suppress(ValueError):
        assert all(each.offset + each.size <= len(whole) for each in read_header(file).tensors.values())
