"""The parts of the READMEs that are made from code and files: `python -m tests.readme` writes them again.

A part stands between `<!-- NAME: ARGUMENTS -->` and `<!-- end of NAME -->`.
"""

import ast
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Final

from demo.settings import Settings, flag_of, purpose_of, variable_of
from demo.snippets import FOLDER, LANGUAGES
from tests import way
from tests.engines.local import test_way

ROOT: Final = Path(__file__).parent.parent
README: Final = ROOT / "README.md"
READMES: Final = (README, *sorted((ROOT / "demo").rglob("README.md")), *sorted((ROOT / "tests").glob("*/README.md")))
FIGURES: Final = ROOT / "tests" / "figures" / "README.md"
# The figures that the first README repeats, by how their rows begin.
CHOSEN: Final = (
    "one request |",
    "eight requests at once |",
    "start, until the model answers |",
    "is streaming slower?",
)


def write_settings(names: str) -> str:
    """The named settings and what each sets; without names all of them, with variable and allowed values."""
    settings = {flag_of(each).removeprefix("--"): each for each in fields(Settings)}
    if names:
        rows = [f"| `{flag_of(settings[name])}` | {purpose_of(settings[name])} |" for name in names.split()]
        return "\n".join(["| setting | what it sets [default] |", "|---|---|", *rows])
    rows = [
        f"| `{flag_of(each)}` | `{variable_of(each)}` | {purpose_of(each)} | {each.metadata['allowed']} |"
        for each in settings.values()
    ]
    return "\n".join(["| flag | variable | what it sets [default] | allowed |", "|---|---|---|---|", *rows])


def write_files(_: str) -> str:
    """Every module of the app, folder by folder, with the first sentence of its docstring."""
    demo = ROOT / "demo"
    folders = [demo, *sorted(path.parent for path in demo.rglob("__init__.py") if path.parent != demo)]
    return "\n\n".join(filter(None, map(write_folder, folders)))


def write_folder(folder: Path) -> str:
    """One folder's modules."""
    paths = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
    rows = [f"| [`{path.name}`]({path.relative_to(ROOT / 'demo')}) | {summarise(path)} |" for path in paths]
    return "\n".join([f"| `{folder.relative_to(ROOT)}/` | |", "|---|---|", *rows]) if rows else ""


def summarise(path: Path) -> str:
    """The first sentence of a module's docstring."""
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return re.split(r"(?<=[.])\s", docstring.replace("\n", " "), maxsplit=1)[0].rstrip(".").replace("|", "\\|")


def write_snippet(name: str) -> str:
    """One file of `assets/snippets`."""
    path = FOLDER / name
    return f"```{LANGUAGES.get(path.suffix, 'nginx')}\n{path.read_text('utf-8')}```"


def write_figures(_: str) -> str:
    """Some rows of what was measured."""
    rows = FIGURES.read_text("utf-8").replace(" ²", "").splitlines()
    chosen = [row for row in rows if row.startswith(tuple(f"| {each}" for each in CHOSEN))]
    return "\n".join(["| what | measured |", "|---|---|", *chosen])


PARTS: Final[dict[str, Callable[[str], str]]] = {
    "settings": write_settings,
    "files": write_files,
    "snippet": write_snippet,
    "figures": write_figures,
    "stations": lambda _: way.write_table(),
    "way": lambda _: test_way.write_table(),
}
MARKED: Final = re.compile(r"^(<!-- ([a-z ]+)(?:: ([^\n]*))? -->\n).*?^(<!-- end of \2 -->)$", re.DOTALL | re.MULTILINE)


def renew(text: str) -> str:
    """`text` with every marked part as code and files have it now."""

    def write(found: "re.Match[str]") -> str:
        head, name, arguments, tail = found.groups()
        return f"{head}{PARTS[name](arguments or '')}\n{tail}"

    return MARKED.sub(write, text)


if __name__ == "__main__":
    for path in READMES:
        path.write_text(renew(path.read_text("utf-8")), "utf-8")
