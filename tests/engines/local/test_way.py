"""One token's way can be read in one sitting, and the folder's README says where it goes."""

import ast
import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[3] / "demo" / "engines" / "local"
MAX_LINES: Final = 500
WAY: Final = {
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


def measure(file: str, names: str) -> int:
    """Lines of some functions and classes of a file."""
    found: dict[str, ast.FunctionDef | ast.ClassDef] = {}
    for node in ast.parse((ROOT / file).read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{each.name}": each for each in node.body if isinstance(each, ast.FunctionDef)}
    nodes = [found[name] for name in names.split(", ")]
    return sum((node.end_lineno or 0) - node.lineno + 1 for node in nodes)


def write_table() -> str:
    """The rows of the README's table."""
    rows = {file: measure(file, names) for file, names in WAY.items()}
    lines = [
        f"| `{file}` | {', '.join(f'`{name}`' for name in WAY[file].split(', '))} | {rows[file]} |" for file in rows
    ]
    return "\n".join([*lines, f"| | in all | {sum(rows.values())} |"])


def test_the_way_of_a_token_has_at_most_500_lines() -> None:
    assert sum(measure(file, names) for file, names in WAY.items()) <= MAX_LINES


def test_the_readme_lists_the_way_of_a_token() -> None:
    told = re.search(r"<!-- way -->\n(.*?)\n<!-- end of way -->", (ROOT / "README.md").read_text(), re.DOTALL)
    assert told is not None
    assert told[1] == write_table(), f"write this between the marks of {ROOT.name}/README.md:\n{write_table()}"
