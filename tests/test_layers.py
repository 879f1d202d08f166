"""The layout of DESIGN: a star. The core knows only itself, the leaves know the core, app.py knows everyone."""

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = [ROOT / "app.py", *sorted((ROOT / "demo").rglob("*.py"))]
HOMES = {
    "torch": {"engines"},
    "transformers": {"engines", "bench"},  # there as one of those who are measured
    "accelerate": {"engines"},
    "gradio": {"ui"},
    "plotly": {"ui", "bench"},
    "uvicorn": {"api"},
}
MAX_LINES = 300


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def layer_of(path: Path) -> str:
    """`app`, `core`, or the leaf's folder."""
    parts = path.relative_to(ROOT).parts
    if parts == ("app.py",):
        return "app"
    return "core" if len(parts) == 2 else parts[1]


def read_imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in the file and also for type checking."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def layer_of_module(module: str) -> str | None:
    """The layer of one of our modules; None where it is not ours."""
    parts = module.split(".")
    if parts[0] != "demo":
        return None
    return parts[1] if len(parts) > 1 and (ROOT / "demo" / parts[1]).is_dir() else "core"


@cache
def list_imports() -> list[tuple[Path, str]]:
    """Every file with each module that it imports."""
    return [(path, module) for path in FILES for module in read_imports(path)]


def list_wrong(is_wrong: Callable[[str, str], bool]) -> list[str]:
    """The imports that are wrong, asked by the file's layer and the module."""
    return [f"{name_of(path)} imports {module}" for path, module in list_imports() if is_wrong(layer_of(path), module)]


def test_a_leaf_knows_the_core_and_itself_and_the_core_only_itself() -> None:
    def is_wrong(layer: str, module: str) -> bool:
        return layer != "app" and layer_of_module(module) not in {None, "core", layer}

    assert list_wrong(is_wrong) == []


def test_nobody_imports_app_py() -> None:
    assert list_wrong(lambda _, module: module.split(".")[0] == "app") == []


def test_the_core_uses_the_standard_library_only() -> None:
    known = {*sys.stdlib_module_names, "demo"}
    assert list_wrong(lambda layer, module: layer == "core" and module.split(".")[0] not in known) == []


def test_tensors_live_in_the_engine_components_in_the_page_and_the_server_in_the_api() -> None:
    assert list_wrong(lambda layer, module: layer not in HOMES.get(module.split(".")[0], {layer})) == []


def test_app_py_knows_every_leaf() -> None:
    known = {layer_of_module(module) for module in read_imports(ROOT / "app.py")}
    assert {"core", "engines", "api", "ui"} <= known


def test_a_file_can_be_read_without_scrolling_far() -> None:
    lengths = {name_of(path): len(path.read_text("utf-8").splitlines()) for path in FILES if layer_of(path) != "app"}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


@pytest.mark.parametrize("module", ["demo.engines.local.engine", "demo.ui.page", "app"])
def test_the_page_opens_without_waiting_for_torch(module: str) -> None:
    code = f"import {module}, sys; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
