"""The README's section as a whole: nothing in it is printed that no test runs."""

from types import ModuleType

from tests.clients import test_javascript, test_overload, test_python, test_shell
from tests.clients.programs import COMMANDS
from tests.clients.snippets import ADDRESS, read_section, read_snippets


def read_marks(module: ModuleType) -> set[str]:
    """The snippets that this module's tests run."""
    marks = [mark for each in vars(module).values() for mark in getattr(each, "pytestmark", ())]
    return {mark.args[0] for mark in marks if mark.name == "snippet"}


def test_every_snippet_is_run_by_a_test_and_every_marked_test_has_its_snippet() -> None:
    marked = set().union(*map(read_marks, (test_javascript, test_overload, test_python, test_shell)))
    assert {snippet.name for snippet in read_snippets()} == marked


def test_every_fence_holds_a_snippet_with_a_name_of_its_own_in_a_language_that_is_run() -> None:
    section, snippets = read_section(), read_snippets()
    assert len(snippets) * 2 == sum(line.startswith("```") for line in section.splitlines())
    assert len({snippet.name for snippet in snippets} - {""}) == len(snippets)
    assert {snippet.language for snippet in snippets} <= COMMANDS.keys()


def test_every_snippet_calls_the_address_that_is_replaced() -> None:
    assert all(ADDRESS in snippet.source for snippet in read_snippets())
