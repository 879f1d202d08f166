import os
from pathlib import Path

import gguf
import numpy as np

from tests.comparison.systems.gguf_file import F32, Q4_1, Q8_0, write_gguf
from tests.comparison.systems.requantize import requantize

Q4_0 = gguf.GGMLQuantizationType.Q4_0


def test_what_was_q4_1_is_q4_0_and_the_rest_as_it_was(tmp_path: Path) -> None:
    before = gguf.GGUFReader(write_gguf(tmp_path)).tensors
    after = gguf.GGUFReader(requantize(tmp_path / "tiny.Q4_1.gguf", tmp_path / "new")).tensors
    assert [tensor.name for tensor in after] == [tensor.name for tensor in before]
    assert [tensor.tensor_type for tensor in before] == [Q4_1, Q8_0, F32]
    assert [tensor.tensor_type for tensor in after] == [Q4_0, Q8_0, F32]
    for one, other in zip(before[1:], after[1:], strict=True):
        assert np.array_equal(one.data, other.data)


def test_the_weights_are_gguf_s_own_rounding_of_the_stored_ones(tmp_path: Path) -> None:
    stored = gguf.GGUFReader(write_gguf(tmp_path)).tensors[0]
    made = gguf.GGUFReader(requantize(tmp_path / "tiny.Q4_1.gguf", tmp_path)).tensors[0]
    plain = gguf.dequantize(stored.data, Q4_1)
    assert list(made.shape) == list(stored.shape)
    assert np.array_equal(made.data, gguf.quantize(plain, Q4_0))
    assert np.abs(gguf.dequantize(made.data, Q4_0) - plain).max() < np.abs(plain).max() / 7


def test_all_metadata_is_kept_but_for_the_form(tmp_path: Path) -> None:
    before = gguf.GGUFReader(write_gguf(tmp_path)).fields
    after = gguf.GGUFReader(requantize(tmp_path / "tiny.Q4_1.gguf", tmp_path)).fields
    assert list(after) == list(before)
    differing = {name for name in before if not name.startswith("GGUF.") and _read(before, name) != _read(after, name)}
    assert differing == {"general.file_type"}
    assert after["general.file_type"].contents() == gguf.LlamaFileType.MOSTLY_Q4_0


def test_it_is_made_once_and_again_when_the_file_is_newer(tmp_path: Path) -> None:
    source = write_gguf(tmp_path)
    target = requantize(source, tmp_path)
    assert target.name == "tiny.Q4_0.gguf"
    os.utime(target, (target.stat().st_mtime + 10, target.stat().st_mtime + 10))
    made = target.stat().st_mtime_ns
    assert requantize(source, tmp_path).stat().st_mtime_ns == made
    os.utime(source, (target.stat().st_mtime + 10, target.stat().st_mtime + 10))
    assert requantize(source, tmp_path).stat().st_mtime_ns != made
    assert {path.name for path in tmp_path.iterdir()} == {"tiny.Q4_1.gguf", "tiny.Q4_0.gguf"}


def _read(fields: dict[str, gguf.ReaderField], name: str) -> object:
    return fields[name].contents()
