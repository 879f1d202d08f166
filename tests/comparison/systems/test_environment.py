from pathlib import Path

import pytest

from demo.bench.sample import MeasurementError
from tests.comparison.systems.environment import DTYPES, Environment
from tests.comparison.systems.gguf_file import write_gguf


def test_the_stored_weights_are_the_file_itself(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"12345")
    weights = Environment(file, 2, tmp_path).prepare("stored")
    assert (weights.dtype, weights.path, weights.size) == ("Q4_1, as stored", file, 5)


@pytest.mark.parametrize(
    ("dtype", "size"), [("float32", 4 * 544), ("bfloat16", 2 * 544), ("Q8_0", 544 * 34 // 32), (None, None)]
)
def test_the_weights_of_a_running_server_have_the_size_of_their_data_type(
    tmp_path: Path, dtype: str | None, size: int | None
) -> None:
    weights = Environment(write_gguf(tmp_path), 2, tmp_path).describe(dtype)
    assert (weights.dtype, weights.size) == (dtype or "not named", size)


def test_every_data_type_that_can_be_named_has_a_size(tmp_path: Path) -> None:
    environment = Environment(write_gguf(tmp_path), 2, tmp_path)
    described = {dtype: environment.describe(dtype) for dtype in DTYPES}
    assert all(weights.size for weights in described.values())
    assert described["Q4_0"] == environment.prepare("Q4_0")


def test_weights_that_cannot_be_converted_are_an_error_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(MeasurementError, match=r"can't be converted for transformers: .*absent\.gguf can't be read"):
        Environment(tmp_path / "absent.gguf", 2, tmp_path).prepare("float32")
