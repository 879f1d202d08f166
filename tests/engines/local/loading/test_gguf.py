"""The beginning of GGUF files, against transformers' own reading of it."""

from pathlib import Path

import pytest
from gguf import GGUFWriter
from transformers.integrations.gguf.dequant import GGML_BLOCK, GGML_NAME
from transformers.integrations.gguf.reader import GgufHeader, read_gguf_metadata

from demo.engines.local.loading.gguf import read_header
from demo.engines.local.runners.cpu_llama.weights.quantization import BLOCKS, NAMES, PLAIN
from tests.engines.local.tiny_files import Recipe, write_gguf

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
def test_metadata_and_tensors_are_those_that_transformers_reads(recipe: Recipe, tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "tiny.gguf", recipe)
    header = read_header(file)
    metadata, _ = read_gguf_metadata(str(file), TEXTS)
    theirs = GgufHeader.from_file(str(file))
    assert header.metadata == metadata
    assert header.start == theirs.data_start
    assert {name: (each.shape, each.kind, each.offset, each.size) for name, each in header.tensors.items()} == {
        each.name: (each.shape, each.ggml_type, each.offset, each.nbytes) for each in theirs.tensors
    }


def test_data_begin_where_the_file_s_own_alignment_says(tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "tiny.gguf", Recipe(change=lambda writer: writer.add_custom_alignment(1024)))
    assert read_header(file).start == GgufHeader.from_file(str(file)).data_start
    assert read_header(file).start % 1024 == 0


def test_forms_have_the_sizes_and_names_that_transformers_knows() -> None:
    assert {kind: sizes for kind, sizes in BLOCKS.items() if kind not in PLAIN} == GGML_BLOCK
    assert {kind: name for kind, name in NAMES.items() if kind not in PLAIN} == GGML_NAME


@pytest.mark.parametrize(
    ("begin", "said"),
    [(b"GGUX", "it does not begin as a GGUF file"), (b"GGUF\x01\0\0\0", "it is GGUF version 1")],
)
def test_what_is_no_gguf_file_or_of_another_version_says_so(begin: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "other.gguf"
    file.write_bytes(begin + bytes(100))
    with pytest.raises(ValueError, match=said):
        read_header(file)
