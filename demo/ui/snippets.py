"""The README's snippets, for the page to show: they are written once, there, where tests run them as printed. Pure."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

README: Final = Path(__file__).resolve().parents[2] / "README.md"
_SNIPPET: Final = re.compile(r"<!-- snippet: ([a-z0-9-]+) -->\n```([a-z]*)\n(.*?)\n```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Snippet:
    """One program or command, as it is printed."""

    name: str
    language: str
    text: str


def read_snippets(markdown: str) -> list[Snippet]:
    """Every fenced block that a comment before it names, in order."""
    return [Snippet(*found) for found in _SNIPPET.findall(markdown)]
