"""The layout of DESIGN: a star. The core knows only itself, the leaves know the core, app.py knows everyone."""

import ast
import subprocess
import sys
from collections.abc import Iterator
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


every_file = pytest.mark.parametrize("path", FILES, ids=name_of)


@every_file
def test_a_leaf_knows_the_core_and_itself_and_the_core_only_itself(path: Path) -> None:
    layer = layer_of(path)
    if layer == "app":
        return
    for module in read_imports(path):
        assert layer_of_module(module) in {None, "core", layer}, f"{name_of(path)} imports {module}"


@every_file
def test_nobody_imports_app_py(path: Path) -> None:
    assert "app" not in {module.split(".")[0] for module in read_imports(path)}


@pytest.mark.parametrize("path", [path for path in FILES if layer_of(path) == "core"], ids=name_of)
def test_the_core_uses_the_standard_library_only(path: Path) -> None:
    for module in read_imports(path):
        assert module.split(".")[0] in {*sys.stdlib_module_names, "demo"}, f"{name_of(path)} imports {module}"


@every_file
def test_tensors_live_in_the_engine_components_in_the_page_and_the_server_in_the_api(path: Path) -> None:
    for module in read_imports(path):
        homes = HOMES.get(module.split(".")[0])
        assert homes is None or layer_of(path) in homes, f"{name_of(path)} imports {module}"


def test_app_py_knows_every_leaf() -> None:
    known = {layer_of_module(module) for module in read_imports(ROOT / "app.py")}
    assert {"core", "engines", "api", "ui"} <= known


@pytest.mark.parametrize("path", [path for path in FILES if layer_of(path) != "app"], ids=name_of)
def test_a_file_can_be_read_without_scrolling_far(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("module", ["demo.engines.local.engine", "demo.ui.page", "app"])
def test_the_page_opens_without_waiting_for_torch(module: str) -> None:
    code = f"import {module}, sys; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
