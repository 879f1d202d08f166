"""Split models: joined where all parts lie beside each other, else refused with those that are missing."""

import shutil
import struct
from dataclasses import replace
from pathlib import Path

import pytest
from gguf import GGUFValueType
from safetensors.torch import load_file

from demo.engines.local.loading.conversion import convert_once
from demo.engines.local.loading.gguf import read_header
from demo.engines.local.loading.gguf_split import join_parts, read_model
from demo.engines.local.runners.cpu_llama.weights.gguf import GgufFile
from demo.errors import ModelError
from tests.engines.local.tiny_files import Recipe, load, write_gguf

RECIPE = Recipe(form="Q4_1", forms={"token_embd": "Q8_0", "attn_v": "F16"})


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return write_gguf(tmp_path / "tiny.gguf", RECIPE)


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    """The same model in several files, as gguf's own writer splits it."""
    (tmp_path / "parts").mkdir()
    write_gguf(tmp_path / "parts" / "tiny.gguf", replace(RECIPE, max_tensors=8))
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
