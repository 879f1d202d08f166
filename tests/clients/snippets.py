"""The programs of `assets/snippets`, aimed at a server that runs."""

from dataclasses import replace
from typing import Final

import pytest

from demo.snippets import Snippet, read_snippets

ADDRESS: Final = "http://127.0.0.1:7860"


def run_snippets(*names: str) -> pytest.MarkDecorator:
    """The test runs each of these programs, whose `name` it gets."""
    return pytest.mark.parametrize("name", names)


def find_snippet(name: str, url: str = ADDRESS) -> Snippet:
    """A program with the address of this server."""
    (snippet,) = (each for each in read_snippets() if each.name == name)
    return replace(snippet, text=snippet.text.replace(ADDRESS, url))
