"""One token's way from click to paint: the functions that a comment `Way N: …` stands above, and the engine's own."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
FOLDERS: Final = ("demo", "assets/page", "assets/answer")
COMMENT: Final = re.compile(r"^\s*(?:#|//) Way (\d+): (.+)$")
ENGINE: Final = "demo/engines/local/engine.py"  # what happens behind it is told in its own README
# Functions and classes of its folder.
INSIDE: Final = {
    "engine.py": "LocalEngine.submit_all, LocalEngine._answer, LocalEngine._take_new",
    "scheduler.py": (
        "Scheduler.plan, Scheduler._plan_decodes, Scheduler._plan_prefills, Scheduler._order, Scheduler._allocate, "
        "Scheduler._plan_prefill"
    ),
    "step_loop.py": "StepLoop.step, StepLoop._launch, StepLoop._read, launch, InFlightStep",
    "runners/cpu_llama/runner.py": "CpuLlamaRunner",
    "runners/cpu_llama/model.py": "Llama.compute",
    "runners/cpu_llama/forward_batch.py": "ForwardBatch",
    "sampler.py": "BatchSampler, Group, draw_ids, make_report, SamplerOutput, read_outcome",
    "sequence.py": "Sequence.accept",
    "output.py": "Output.accept, Output._read, Output._write",
}


@dataclass(frozen=True, slots=True, order=True)
class Station:
    """One function on the way."""

    number: int
    text: str
    path: str
    name: str
    lines: int


def find_stations() -> list[Station]:
    """All stations, in order."""
    paths = [path for folder in FOLDERS for kind in ("*.py", "*.js") for path in (ROOT / folder).rglob(kind)]
    return sorted(station for path in paths for station in read_stations(path))


def read_stations(path: Path) -> Iterator[Station]:
    lines = path.read_text("utf-8").splitlines()
    for at, line in enumerate(lines):
        if found := COMMENT.match(line):
            name, size = (measure_python if path.suffix == ".py" else measure_javascript)(lines, at + 1)
            yield Station(int(found[1]), found[2], path.relative_to(ROOT).as_posix(), name, size)


def measure_python(lines: list[str], start: int) -> tuple[str, int]:
    """The name and length of the function or class that begins in the line with index `start`."""
    for name, node in walk(ast.parse("\n".join(lines))):
        first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
        if first == start + 1:
            return name, (node.end_lineno or first) - first + 1
    raise AssertionError(f"no function begins after: {lines[start - 1]}")


def walk(tree: ast.AST, owner: str = "") -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]]:
    """Every function and class, with its qualified name."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield owner + node.name, node
            yield from walk(node, f"{owner}{node.name}.")


def measure_javascript(lines: list[str], start: int) -> tuple[str, int]:
    """The same in JavaScript: up to the first line that closes a brace with the same indentation."""
    indentation = re.match(r"\s*", lines[start])[0]  # type: ignore[index]  # it always matches
    body = list(takewhile(lambda line: not line.startswith(f"{indentation}}}"), lines[start:]))
    name = re.search(r"function\*? (\w+)|(\w+)\(", lines[start])
    assert name, f"no function begins after: {lines[start - 1]}"
    return name[1] or name[2], len(body) + 1


def count_lines(stations: list[Station]) -> int:
    """All that has to be read: these functions, and behind the engine's door those that its own README names."""
    return sum(station.lines for station in stations) + count_engine(stations)


def count_engine(stations: list[Station]) -> int:
    """The lines of the engine's own way, without its door, which is a station."""
    door = sum(station.lines for station in stations if station.path == ENGINE)
    return sum(measure_inside().values()) - door


def measure_inside() -> dict[str, int]:
    """The lines of the engine's own way in each of its files."""
    lines = {}
    for file, names in INSIDE.items():
        nodes = dict(walk(ast.parse(((ROOT / ENGINE).parent / file).read_text("utf-8"))))
        chosen = [nodes[name] for name in names.split(", ")]
        lines[file] = sum((node.end_lineno or 0) - node.lineno + 1 for node in chosen)
    return lines


def write_table() -> str:
    """The stations as a table, with links from `demo/README.md`."""
    stations = find_stations()
    rows = [f"| {each.number} | {each.text} | {link(each.path)} `{each.name}` | {each.lines} |" for each in stations]
    inside = "| | inside the engine: a step is planned, computed, sampled ([its README](engines/local/README.md)) | |"
    door = next((at for at, each in enumerate(stations) if each.path == ENGINE), -1) + 1
    rows.insert(door, f"{inside} {count_engine(stations)} |")
    head = ["| | what happens | where | lines |", "|---|---|---|---|"]
    return "\n".join([*head, *rows, f"| | in all | | {count_lines(stations)} |"])


def link(path: str) -> str:
    """A link to a file, from `demo/README.md`."""
    inside = path.removeprefix("demo/")
    return f"[`{path}`]({inside if inside != path else f'../{path}'})"


def write_inside() -> str:
    """The rows of the table in the engine's own README."""
    lines = measure_inside()
    rows = [f"| `{file}` | `{names.replace(', ', '`, `')}` | {lines[file]} |" for file, names in INSIDE.items()]
    return "\n".join([*rows, f"| | in all | {sum(lines.values())} |"])
