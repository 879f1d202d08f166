"""The page is sent every program of `assets/snippets`, to the letter."""

from demo.snippets import FOLDER, LANGUAGES, PROGRAMS, Snippet, read_snippets
from demo.ui.files import build_files
from tests.api.client import ask


def test_every_program_in_the_folder_has_its_place_in_the_order() -> None:
    assert sorted(PROGRAMS) == sorted(path.name for path in FOLDER.iterdir() if path.suffix in LANGUAGES)


def test_they_are_served_as_they_are_written() -> None:
    served = [Snippet(**each) for each in ask(build_files(), "GET", "/snippets.json").json()]
    assert served == read_snippets()
    assert [f"{each.text}\n" for each in served] == [(FOLDER / name).read_text("utf-8") for name in PROGRAMS]
