"""The page's texts in other languages: every language says the same, and nothing that the page does not say."""

import ast
import json
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import pytest

from demo.static.document import tell_recorded
from demo.ui.files import ASSETS, TEXTS
from demo.ui.gradio_tuning import list_built
from demo.ui.view.words import CONSTANTS

PLACE: Final = re.compile(r"\{#?\w+\}")
MARK: Final = re.compile(r"[.,:;](?:\s|$)|[:()]")
JOINED: Final = re.compile(r"""(["'])\s*\+\s*\1""")  # a script's text that goes on in the next line
ROOT: Final = ASSETS.parent
LANGUAGES: Final = {path.stem: json.loads(path.read_text("utf-8")) for path in TEXTS.glob("*.json")}
TAGS: Final = re.compile(r"<(/?\w+)")


def list_sources() -> Iterator[str]:
    """What the page's texts are written in: Python's strings, scripts, markup, and the labels of Gradio's sliders."""
    for path in (ROOT / "demo").rglob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text("utf-8")))
        yield from (node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))
    texts = (path for kind in ("*.js", "*.html", "room/*.json", "constants.json") for path in ASSETS.rglob(kind))
    for path in (*texts, *list_built("Index-*.js")):
        yield JOINED.sub("", path.read_text("utf-8"))
    for path in ASSETS.rglob("*.html"):
        yield tell_recorded(path.read_text("utf-8"))


@pytest.fixture(scope="module")
def sources() -> str:
    """All of them, with single spaces."""
    return "\n".join(" ".join(source.split()) for source in list_sources()).lower()


def test_every_language_has_the_same_texts_and_each_names_the_same_values() -> None:
    assert set(LANGUAGES) == set(CONSTANTS["languages"]) - {"en"}
    for one, other in pairwise(LANGUAGES.values()):
        assert list(one) == list(other)
    for texts in LANGUAGES.values():
        wrong = [english for english, text in texts.items() if set(PLACE.findall(english)) != set(PLACE.findall(text))]
        assert not wrong


def test_every_text_is_one_that_the_page_has(sources: str) -> None:
    """Sentences may be joined from parts: each part between values and marks is somewhere in the sources."""
    unused = [text for text in LANGUAGES["de"] if not all(part in sources for part in split_parts(text))]
    assert not unused


def split_parts(text: str) -> list[str]:
    return [part.strip().lower() for part in MARK.split(PLACE.sub(":", text))]


def test_markup_in_a_translation_is_that_of_its_english() -> None:
    for texts in LANGUAGES.values():
        for english, text in texts.items():
            assert sorted(TAGS.findall(text)) == sorted(TAGS.findall(english)), text
