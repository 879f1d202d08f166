"""The header of GGUF files, against transformers' own reading of it; damaged files; and split models.

The parts are joined where all lie beside each other; else the model is refused with those that are missing.
"""

import contextlib
import shutil
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader, GGUFValueType, GGUFWriter
from safetensors.torch import load_file
from transformers.integrations.gguf.reader import GgufHeader, read_gguf_metadata

from demo.engines.local.loading.conversion import convert_once
from demo.engines.local.loading.gguf import join_parts, read_header, read_model
from demo.engines.local.runners.cpu_llama.weights.gguf import GgufFile
from demo.errors import ModelError
from tests.engines.local.tiny_files import Recipe, keep, load, write_gguf

TEXTS = ["tokenizer.ggml.tokens", "tokenizer.ggml.merges"]
SPLIT = Recipe(form="Q4_1", forms={"token_embd": "Q8_0", "attn_v": "F16"})


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


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return write_gguf(tmp_path / "tiny.gguf", SPLIT)


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The same model in several files, as gguf's own writer splits it. The cache is empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "parts").mkdir()
    write_gguf(tmp_path / "parts" / "tiny.gguf", replace(SPLIT, max_tensors=8))
    return sorted((tmp_path / "parts").iterdir())


@pytest.mark.parametrize("given", [0, 2])
def test_a_split_model_is_the_whole_one_whichever_part_is_given(whole: Path, parts: list[Path], given: int) -> None:
    assert [part.name for part in parts] == [f"tiny-0000{number}-of-00003.gguf" for number in (1, 2, 3)]
    joined, expected = read_model(parts[given]), read_header(whole)
    assert {name: (each.shape, each.quantization) for name, each in joined.tensors.items()} == {
        name: (each.shape, each.quantization) for name, each in expected.tensors.items()
    }
    assert expected.metadata.items() <= joined.metadata.items()


def test_parts_joined_in_one_file_hold_what_the_whole_one_holds(whole: Path, parts: list[Path], tmp_path: Path) -> None:
    join_parts(parts, tmp_path / "joined.gguf")
    joined, expected = read_header(tmp_path / "joined.gguf"), read_header(whole)
    assert joined.metadata == expected.metadata
    for name, tensor in expected.tensors.items():
        content = [each.path.read_bytes()[each.offset :][: each.size] for each in (tensor, joined.tensors[name])]
        assert content[0] == content[1]


def test_the_weights_of_a_split_model_are_those_of_the_whole_one(whole: Path, parts: list[Path]) -> None:
    ours, theirs = GgufFile(parts[0]), GgufFile(whole)
    assert ours.tensors.keys() == theirs.tensors.keys()
    assert all(ours.read(name).equal(theirs.read(name)) for name in theirs.tensors)
    converted, expected = (load_file(convert_once(path, print) / "model.safetensors") for path in (parts[0], whole))
    assert converted.keys() == expected.keys()
    assert all(converted[name].equal(expected[name]) for name in expected)


@pytest.mark.parametrize("dtype", ["auto", "stored", "float32"])
@pytest.mark.parametrize("missing", [0, 1])
def test_parts_that_are_missing_are_named(parts: list[Path], missing: int, dtype: str) -> None:
    parts[missing].unlink()
    with pytest.raises(ModelError) as refusal:
        load(parts[2], dtype)
    assert str(refusal.value) == (
        f"{parts[2]} is one of 3 parts of a model, of which {parts[missing].name} is not beside it: "
        "download all parts into one folder."
    )


def test_a_part_with_another_name_is_refused(parts: list[Path], tmp_path: Path) -> None:
    renamed = parts[0].rename(tmp_path / "renamed.gguf")
    with pytest.raises(ModelError, match="the names of the others cannot be derived"):
        load(renamed)


def test_a_part_under_the_name_of_another_is_refused(parts: list[Path]) -> None:
    shutil.copy(parts[1], parts[2])
    with pytest.raises(ModelError, match=r"00003-of-00003\.gguf is not part 3 of 3, as its name says"):
        read_model(parts[0])


def test_a_part_that_is_cut_short_is_named(parts: list[Path]) -> None:
    parts[1].write_bytes(parts[1].read_bytes()[:-100])
    with pytest.raises(ModelError, match=r"00002-of-00003\.gguf .* it ends after 8252 of 8352 bytes"):
        convert_once(parts[0], print)


def test_parts_that_hold_too_few_tensors_are_refused(parts: list[Path]) -> None:
    name, kind = b"split.tensors.count", struct.pack("<I", GGUFValueType.INT32)
    told, other = (name + kind + struct.pack("<i", count) for count in (21, 22))
    parts[0].write_bytes(parts[0].read_bytes().replace(told, other))
    with pytest.raises(ModelError, match="hold 21 of 22 tensors"):
        read_model(parts[2])
