"""The layout: core <- engines <- api | ui | room <- app.py. Only app.py and the ZeroGPU engine import the local engine.

Beside app.py, `static` is a program of its own: core <- engines <- ui <- static. Imports form no circle.
"""

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = [ROOT / "app.py", *sorted((ROOT / "demo").rglob("*.py"))]
LAYERS = {
    "core": {"core"},
    "engines": {"core", "engines"},  # wrappers and replay: every Engine without tensors
    "local": {"core", "engines", "local"},
    "zerogpu": {"core", "engines", "local", "zerogpu"},
    "api": {"core", "engines", "api"},
    "ui": {"core", "engines", "ui"},
    # A leaf over the API's own pieces: how events are framed, streams delivered, errors written and replies described.
    "room": {"core", "engines", "api", "room"},
    "static": {"core", "engines", "ui", "static"},  # the page's own views and layout, written to files
    "bench": {"core", "bench"},
    "app": {"core", "engines", "local", "zerogpu", "api", "ui", "room"},
}
HOMES = {
    "torch": {"local", "zerogpu"},
    "transformers": {"local"},
    "accelerate": {"local"},
    # On ZeroGPU its context, which the platform's package reads; for a page without a server the layout's description.
    "gradio": {"ui", "zerogpu", "static"},
    "plotly": {"ui", "static"},
    "uvicorn": {"api"},
    "segno": {"room"},
}
# The sub-packages of the API: each imports only itself and those before it, never what composes them.
API = ("openapi", "dialects", "delivery", "jobs", "crowd", "middleware", "routes")
API_TOP = {"application", "server", "uvicorn_tuning"}
MAX_LINES = 300


def name_of(path: Path) -> str:
    """The name of the module in a file."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def layer_of(module: str) -> str:
    """One of `LAYERS`, of a module of ours or of a name in it; empty where it is not ours."""
    parts = module.split(".")
    if parts[0] != "demo":
        return "app" if module == "app" else ""
    if parts[1:3] in (["engines", "local"], ["engines", "zerogpu"]):
        return parts[2]
    return parts[1] if len(parts) > 1 and (ROOT / "demo" / parts[1]).is_dir() else "core"


def read_imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in the file and also for type checking."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def list_imports() -> list[tuple[str, str]]:
    """Every module of ours with each module that it imports."""
    return [(name_of(path), module) for path in FILES for module in read_imports(path)]


def list_wrong(is_wrong: Callable[[str, str], bool]) -> list[str]:
    """The imports that are wrong, asked by the layer of the module that imports, and by the imported one."""
    return [f"{name} imports {module}" for name, module in list_imports() if is_wrong(layer_of(name), module)]


def test_each_layer_imports_only_those_below_it() -> None:
    assert list_wrong(lambda layer, module: layer_of(module) not in {"", *LAYERS[layer]}) == []


def test_each_sub_package_of_the_api_imports_only_those_before_it() -> None:
    wrong = []
    for name, module in list_imports():
        parts = name.split(".")
        if parts[:2] != ["demo", "api"] or len(parts) < 4:
            continue
        imported = module.split(".")[2] if module.startswith("demo.api.") else ""
        if imported in API_TOP or (imported in API and API.index(imported) > API.index(parts[2])):
            wrong.append(f"{name} imports {module}")
    assert wrong == []


def test_modules_form_no_circle() -> None:
    modules = {name_of(path).removesuffix(".__init__") for path in FILES}
    graph: dict[str, set[str]] = {}
    for importing, imported in list_imports():
        name = importing.removesuffix(".__init__")
        target = imported if imported in modules else imported.rpartition(".")[0]
        graph.setdefault(name, set()).update({target} & modules - {name})
    TopologicalSorter(graph).prepare()  # raises CycleError


def test_nobody_imports_app_py() -> None:
    assert list_wrong(lambda _, module: module.split(".")[0] == "app") == []


def test_the_core_uses_the_standard_library_only() -> None:
    known = {*sys.stdlib_module_names, "demo"}
    assert list_wrong(lambda layer, module: layer == "core" and module.split(".")[0] not in known) == []


def test_tensors_live_in_the_local_engine_components_in_the_page_and_the_server_in_the_api() -> None:
    assert list_wrong(lambda layer, module: layer not in HOMES.get(module.split(".")[0], {layer})) == []


def test_app_py_knows_every_layer() -> None:
    known = {layer_of(module) for module in read_imports(ROOT / "app.py")}
    assert known - {""} == LAYERS["app"]


def test_a_file_can_be_read_without_scrolling_far() -> None:
    lengths = {name_of(path): len(path.read_text("utf-8").splitlines()) for path in FILES if path != ROOT / "app.py"}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


@pytest.mark.parametrize("module", ["demo.engines.local.engine", "demo.engines.endpoint.engine", "demo.ui.page", "app"])
def test_the_page_opens_without_waiting_for_torch(module: str) -> None:
    code = f"import {module}, sys; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
