import importlib
import sys
from pathlib import Path
from typing import Any

import numba
import pytest

from demo.engines.local.runners.cpu_llama.kernels import NEEDED, levels
from demo.engines.local.runners.cpu_llama.kernels.levels import LEVELS, AheadOfTime, Level, find_level, level_dir


def compile_double() -> Any:
    """A compiled function from the source file that was placed.

    Numba imports the function's module by its name where it loads machine code.
    """
    compiled = numba.njit(cache=True)(importlib.import_module("double").double)
    assert compiled(21) == 42
    return compiled


def place_source(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source in `folder` that can be imported, whose machine code is beside it."""
    folder.mkdir(exist_ok=True)
    (folder / "double.py").write_text("def double(x):\n    return 2 * x\n")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "double", raising=False)
    monkeypatch.setattr(levels, "HERE", folder)
    monkeypatch.setattr(AheadOfTime, "folder", folder / "compiled")
    monkeypatch.setattr(numba.config, "CACHE_LOCATOR_CLASSES", f"{levels.__name__}.AheadOfTime")


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
def test_a_processor_gets_the_fastest_level_whose_instructions_it_has(level: Level) -> None:
    assert find_level({*level.features, "sha"}) == level
    assert find_level(set(level.features) - {"avx2"}) is None


def test_a_processor_with_avx_512_but_without_vnni_gets_the_level_of_avx2() -> None:
    assert find_level(set(LEVELS[0].features) - {"avx512vnni"}) == LEVELS[1]


def test_every_level_has_the_instructions_that_the_kernels_need() -> None:
    assert all(NEEDED.keys() <= set(level.features) for level in LEVELS)


def test_machine_code_of_other_sources_or_of_another_level_is_elsewhere() -> None:
    assert len({level_dir(level, digest) for level in LEVELS for digest in ("a", "b")}) == 4


def test_compiled_code_is_found_where_its_folder_was_moved_to_and_nothing_is_written_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place_source(tmp_path / "built", monkeypatch)
    (tmp_path / "built" / "compiled").mkdir()
    assert compile_double().stats.cache_misses
    (tmp_path / "built").rename(tmp_path / "installed")
    place_source(tmp_path / "installed", monkeypatch)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "installed" / "compiled").iterdir()}
    assert before
    assert compile_double().stats.cache_hits
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "installed" / "compiled").iterdir()} == before
