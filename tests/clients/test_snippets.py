"""The programs as a whole: none is shown that no test runs."""

from types import ModuleType

from demo.snippets import read_snippets
from tests.clients import test_javascript, test_overload, test_python
from tests.clients.programs import COMMANDS
from tests.clients.snippets import ADDRESS


def read_marks(module: ModuleType) -> set[str]:
    """The snippets that this module's tests run."""
    marks = [mark for each in vars(module).values() for mark in getattr(each, "pytestmark", ())]
    return {name for mark in marks if mark.args[:1] == ("name",) for name in mark.args[1]}


def test_every_snippet_is_run_by_a_test_and_every_marked_test_has_its_snippet() -> None:
    marked = set().union(*map(read_marks, (test_javascript, test_overload, test_python)))
    assert {snippet.name for snippet in read_snippets()} == marked


def test_every_snippet_calls_the_address_that_is_replaced_in_a_language_that_is_run() -> None:
    assert all(ADDRESS in snippet.text and snippet.language in COMMANDS for snippet in read_snippets())
