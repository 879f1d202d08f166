from pathlib import Path

import pytest

from demo.bench.peers.ground import DTYPES, Ground
from demo.bench.sample import Unmeasured
from tests.bench.peers.gguf_file import write_gguf


def test_the_stored_weights_are_the_file_itself(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"12345")
    weights = Ground(file, 2, tmp_path).stored()
    assert (weights.form, weights.place, weights.size) == ("Q4_1, as stored", file, 5)


@pytest.mark.parametrize(("dtype", "size"), [("float32", 4 * 544), ("bfloat16", 2 * 544), ("Q8_0", 544 * 34 // 32)])
def test_weights_that_are_named_have_the_size_of_their_form(tmp_path: Path, dtype: str, size: int) -> None:
    weights = Ground(write_gguf(tmp_path), 2, tmp_path).describe(dtype)
    assert (weights.form, weights.size) == (dtype, size)


def test_of_weights_that_are_not_named_nothing_is_known(tmp_path: Path) -> None:
    weights = Ground(tmp_path / "absent.gguf", 2, tmp_path).describe(None)
    assert (weights.form, weights.size) == ("not named", None)


def test_every_form_that_can_be_named_can_be_described(tmp_path: Path) -> None:
    ground = Ground(write_gguf(tmp_path), 2, tmp_path)
    described = {dtype: ground.describe(dtype) for dtype in DTYPES}
    assert all(weights.size for weights in described.values())
    assert described["Q4_0"].place == ground.requantize().place


def test_weights_that_can_not_be_converted_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(Unmeasured, match=r"can't be converted for transformers: .*absent\.gguf can't be read"):
        Ground(tmp_path / "absent.gguf", 2, tmp_path).dequantise()
