"""The parts of README.md that the code knows better: `python -m tests.readme` writes them anew."""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path

from demo.settings import Settings, describe_setting, format_flag, format_variable

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"


def settings_table() -> str:
    """Every setting with its variable, its default in brackets and what is allowed."""
    rows = [
        f"| `{format_flag(each)}` | `{format_variable(each)}` | {describe_setting(each)} | {each.metadata['allowed']} |"
        for each in fields(Settings)
    ]
    return "\n".join(["| flag | variable | what it sets [default] | allowed |", "|---|---|---|---|", *rows])


def file_map() -> str:
    """Every module of the app and the first sentence of its docstring."""
    lines = [f"{path.relative_to(ROOT)!s:<28} {summarise(path)}" for path in modules()]
    return "\n".join(["```", *lines, "```"])


def modules() -> Iterator[Path]:
    """app.py, then the core, then the leaves."""
    yield ROOT / "app.py"
    demo = ROOT / "demo"
    for folder in (demo, *sorted(path.parent for path in demo.rglob("__init__.py") if path.parent != demo)):
        yield from sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")


def summarise(path: Path) -> str:
    """The first sentence of a module's docstring."""
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    return re.split(r"(?<=[.])\s", docstring.replace("\n", " "), maxsplit=1)[0].rstrip(".")


PARTS: dict[str, Callable[[], str]] = {"settings": settings_table, "file map": file_map}


def renew(text: str) -> str:
    """`text` with every marked part as the code has it now."""
    for name, make in PARTS.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(\n<!-- end of {name} -->)", re.DOTALL)
        text, count = pattern.subn(lambda match, make=make: match[1] + make() + match[2], text)  # type: ignore[misc]
        assert count == 1, f"README.md needs one part marked {name!r}"
    return text


if __name__ == "__main__":
    README.write_text(renew(README.read_text()))
