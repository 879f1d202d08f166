"""`python -m tests.tools VENVS`: each tool's medians beside this project's, by the tool's own definitions.

The server has one core and the clients have the others: on shared cores a tool slows the engine that it measures.

VENVS holds a virtual environment for each tool, named as its package. A tool that is missing is named. The exit code
is 1 where a tool and this project's client differ by more than 5 % and 2 ms.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

from demo.bench.__main__ import PROMPT
from demo.bench.client import Client
from demo.bench.target import choose_model
from demo.metric_definitions import Latencies
from tests.figures.wire import run_bench, start_app
from tests.tools.hub_cache import write_hub_cache
from tests.tools.tool import NEW_TOKENS, REQUESTS, TOOLS, Plan, Tool

SHARE: Final = 0.05
SECONDS: Final = 0.002
TIMEOUT: Final = 600.0
ARGUMENTS: Final = ("--no-ui", "--no-prefix-cache", "--threads", "1")
_SILENT: Final = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}


def main(environments: str) -> int:
    agreed = True
    with serve() as url:
        print(f"{'median, ms':<24}{'':<6}{'the tool':>10}{'demo.bench':>12}{'differs':>10}")
        for tool in TOOLS:
            program = Path(environments) / tool.package / "bin" / tool.program
            if not program.exists():
                print(f"{tool.name}: not installed (no {program}), left out.")
                continue
            before, found = measure_here(url)[tool.name], run_tool(tool, program, url)
            for line, is_close in compare(tool.name, found, before):
                print(line, flush=True)
                agreed &= is_close
    return 0 if agreed else 1


@contextmanager
def serve() -> Iterator[str]:
    """The URL of this server on the first core; this process and those that it starts have the others, on Linux."""
    cores = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []
    pin(cores[:1])
    with start_app(*ARGUMENTS) as (_, url):
        pin(cores[1:])
        yield url


def pin(cores: Sequence[int]) -> None:
    """Keep this process, and those that it starts from now on, on these cores; where none is given, change nothing."""
    if cores:
        os.sched_setaffinity(0, cores)


def measure_here(url: str) -> dict[str, Latencies]:
    """The medians of as many streams of the same request by this project's client, as each tool defines them."""
    report = run_bench(url, REQUESTS, "--dialect", "chat", "--new-tokens", str(NEW_TOKENS), "--self-test", "0")
    return {tool: Latencies(**found) for tool, found in report["definitions"].items()}


def run_tool(tool: Tool, program: Path, url: str) -> Latencies:
    with tempfile.TemporaryDirectory() as folder:
        plan = Plan(url, choose_model(Client(url, None, TIMEOUT)), PROMPT, Path(folder))
        command = [str(program), *tool.write(plan)]
        environment = {**os.environ, **_SILENT, **write_hub_cache(plan.folder / "hub", plan.model)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT)
        if done.returncode:
            raise SystemExit(f"{tool.name} failed: {(done.stderr or done.stdout)[-2000:]}")
        return tool.read(json.loads((plan.folder / tool.report).read_text()))


def compare(name: str, found: Latencies, expected: Latencies) -> Iterator[tuple[str, bool]]:
    """A line for each metric that the tool reports, and whether both agree within SHARE or SECONDS."""
    for metric, wanted in asdict(expected).items():
        told = getattr(found, metric)
        if told is None or wanted is None:
            continue
        is_close = abs(told - wanted) <= max(SHARE * wanted, SECONDS)
        verdict = "" if is_close else "  more than 5 % and 2 ms"
        share = 100 * (told - wanted) / wanted
        yield f"{name:<24}{metric.upper():<6}{told * 1e3:>10.2f}{wanted * 1e3:>12.2f}{share:>9.1f}%{verdict}", is_close


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
