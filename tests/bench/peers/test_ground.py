from pathlib import Path

import pytest

from demo.bench.peers.ground import Ground
from demo.bench.sample import Unmeasured


def test_the_stored_weights_are_the_file_itself(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"12345")
    weights = Ground(file, 2, tmp_path).stored()
    assert (weights.form, weights.place, weights.size) == ("as stored", file, 5)


def test_weights_that_can_not_be_converted_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(Unmeasured, match=r"can't be converted for transformers: .*absent\.gguf can't be read"):
        Ground(tmp_path / "absent.gguf", 2, tmp_path).dequantise()
