"""The rooms of the page: view <- race, session <- components <- listeners <- page. The view is pure."""

import ast
import subprocess
import sys
from pathlib import Path

UI = Path(__file__).resolve().parents[2] / "demo" / "ui"
# What a file may import of demo.ui, by the first name that fits; page.py may import everything.
ROOMS = {
    "view": {"view"},
    "race.py": {"view"},
    "session.py": {"view", "race"},
    "components": {"view", "components", "files"},
    "listeners": {"view", "race", "session", "components", "listeners"},
    "gradio_tuning.py": set[str](),
    "tabs.py": set[str](),
    "gradio_queue.py": {"tabs"},
    "gradio_routes.py": {"tabs", "gradio_queue"},
}


def test_each_room_imports_only_those_below_it() -> None:
    wrong = []
    for name, allowed in ROOMS.items():
        for path in [UI / name] if name.endswith(".py") else (UI / name).glob("*.py"):
            modules = [
                node.module for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)
            ]
            rooms = {module.split(".")[2] for module in modules if module and module.startswith("demo.ui.")}
            wrong += [f"{path.name} imports {room}" for room in rooms - allowed]
    assert wrong == []


def test_the_view_imports_neither_gradio_nor_plotly() -> None:
    names = [path.stem for path in (UI / "view").glob("*.py")]
    code = f"""import sys, importlib
for name in {names}: importlib.import_module("demo.ui.view." + name)
import demo.ui.race, demo.ui.session
sys.exit("gradio" in sys.modules or "plotly" in sys.modules)"""
    assert subprocess.run([sys.executable, "-c", code], cwd=UI.parents[1], check=False).returncode == 0
