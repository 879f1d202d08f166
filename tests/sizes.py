"""How large everything is: `python -m tests.sizes` prints files, lines, functions, READMEs and one token's way."""

import ast
import subprocess
from pathlib import Path
from statistics import median
from typing import Final

from tests import way
from tests.readme import README, READMES, ROOT

AREAS: Final = ("app.py", "demo", "demo/engines", "demo/api", "demo/ui", "demo/bench", "assets", "tests")
TEXTS: Final = (".py", ".js", ".css", ".html", ".sh")
VENDOR: Final = "assets/vendor/"


def list_files(area: str) -> list[Path]:
    """The program texts that git knows below `area`, without those of others."""
    names = subprocess.run(["git", "ls-files", area], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in names.splitlines() if name.endswith(TEXTS) and not name.startswith(VENDOR)]


def count_lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def measure_functions(path: Path) -> list[int]:
    """The lines of each function in a file of Python."""
    nodes = ast.walk(ast.parse(path.read_text("utf-8"))) if path.suffix == ".py" else ()
    return [
        (node.end_lineno or 0) - node.lineno + 1
        for node in nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def write_row(area: str) -> str:
    paths = list_files(area)
    longest = max(paths, key=count_lines)
    functions = [lines for path in paths for lines in measure_functions(path)]
    typical = f"{median(functions):g}, {max(functions)}" if functions else "none"
    total = sum(map(count_lines, paths))
    cells = (area, len(paths), f"{total:,}", f"{len(functions):,}", typical, f"{longest.name} {count_lines(longest)}")
    return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    """Print it as tables in Markdown."""
    print("| area | files | lines | functions | their lines: median, most | longest file |")
    print("|---|---|---|---|---|---|", *map(write_row, AREAS), sep="\n")
    print("\n| README | bytes |", "|---|---|", sep="\n")
    for path in READMES:
        body = path.read_text("utf-8").split("---\n", 2)[2] if path == README else path.read_text("utf-8")
        print(f"| {path.relative_to(ROOT)} | {len(body.encode()):,} |")
    stations = way.find_stations()
    print(f"\nOne token's way: {len(stations)} stations, {way.count_lines(stations)} lines, the engine's included.")


if __name__ == "__main__":
    main()
