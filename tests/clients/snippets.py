"""The programs of `assets/snippets`, aimed at a server that runs."""

from dataclasses import dataclass
from typing import Final

import pytest

from demo import snippets

ADDRESS: Final = "http://127.0.0.1:7860"


@dataclass(frozen=True, slots=True)
class Snippet:
    name: str
    language: str
    source: str

    def aimed_at(self, url: str) -> str:
        """Its source with the address of another server."""
        return self.source.replace(ADDRESS, url)


def run_snippets(*names: str) -> pytest.MarkDecorator:
    """The test runs each of these programs, whose `name` it gets."""
    return pytest.mark.parametrize("name", names)


def read_snippets() -> list[Snippet]:
    return [Snippet(each.name, each.language, each.text) for each in snippets.read_snippets()]


def find_snippet(name: str) -> Snippet:
    (snippet,) = (each for each in read_snippets() if each.name == name)
    return snippet
