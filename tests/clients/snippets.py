"""The README's section "Call it", as programs: what each snippet is called, its language and its source."""

import re
from dataclasses import dataclass
from typing import Final

from tests.readme import README

SECTION: Final = "Call it"
ADDRESS: Final = "http://127.0.0.1:7860"
_FENCE: Final = re.compile(r"(?:<!-- snippet: ([a-z0-9-]+) -->\n)?```([a-z]*)\n(.*?)\n```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Snippet:
    """One fenced block. `name` is empty where no comment before the fence gives one."""

    name: str
    language: str
    source: str

    def aimed_at(self, url: str) -> str:
        """The source as it is printed, with the address of a server that runs."""
        return self.source.replace(ADDRESS, url)


def read_section() -> str:
    """The section's text, without its heading."""
    found = re.search(rf"^## {SECTION}\n(.*?)(?=^## )", README.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert found, f"README.md has no section {SECTION!r}"
    return found[1]


def read_snippets() -> list[Snippet]:
    """All fenced blocks of the section, in order."""
    return [Snippet(*found) for found in _FENCE.findall(read_section())]


def find_snippet(name: str) -> Snippet:
    """The one snippet of this name."""
    (snippet,) = (each for each in read_snippets() if each.name == name)
    return snippet
