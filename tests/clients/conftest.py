"""The servers that the programs of `assets/snippets` call, and the program that a test runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.programs import HERE, Program, run_program
from tests.clients.serving import Served, serve
from tests.clients.snippets import find_snippet

PACKAGES = {"js-old": "js2"}  # where the snippet's `@huggingface/inference` is another one


@pytest.fixture(scope="package")
def served() -> Iterator[Served]:
    """As the README starts it."""
    with serve() as served:
        yield served


@pytest.fixture(scope="package")
def narrow() -> Iterator[Served]:
    """It answers one request at a time."""
    with serve(["--max-concurrent-requests", "1"]) as served:
        yield served


@pytest.fixture
def folder(name: str) -> Path:
    """Where the snippet finds its packages."""
    return HERE / PACKAGES.get(name, "js4")


@pytest.fixture
def ran(name: str, folder: Path, served: Served) -> Program:
    """The snippet, run to its end."""
    snippet = find_snippet(name, served.url)
    return run_program(snippet.language, snippet.text, folder)
