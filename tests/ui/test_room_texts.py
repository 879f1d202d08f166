"""The words of the room's pages: the same in every language, all of them used, in scripts that old browsers run."""

import json
import re
from typing import Any, Final

import pytest

from demo.room.phone import ANIMALS, COLOURS
from demo.room.results import MIN_N
from demo.ui.components.lesson import fill_texts
from demo.ui.files import ASSETS, LESSON

ROOM: Final = ASSETS / "room"
SENTENCES: Final = {"felt_shorter", "felt_longer", "no_difference"}  # whose keys the server sends
PHONE_SCRIPTS: Final = ("words", "line", "guess", "scenes", "room")
# What browsers of 2017 don't read: later syntax, and later functions.
LATER: Final = re.compile(
    r"\?\.[a-z(\[]|\?\?|\|\|=|&&=|\{\s*\.\.\.|\.\.\.\w+\s*\}|catch \{|#\w+\s*[=;(]|\bimport\b[ (]|\bexport\b |"
    r"replaceAll|replaceChildren|toggleAttribute|fromEntries|allSettled|structuredClone|AbortController|"
    r"\.at\(|\.flat\(|\.flatMap\(|\.finally\(|\.append\(|matchAll|globalThis"
)


def read_texts(name: str) -> dict[str, dict[str, Any]]:
    texts: dict[str, dict[str, Any]] = json.loads((ROOM / f"{name}.json").read_text("utf-8"))
    return texts


def list_places(text: str) -> list[str]:
    return sorted(re.findall(r"\{(\w+)\}", text))


@pytest.mark.parametrize("name", ["texts", "projector"])
def test_every_language_has_every_text_with_the_same_values_in_it(name: str) -> None:
    texts = read_texts(name)
    assert set(texts) == {"en", "de", "fr"}
    for language in ("de", "fr"):
        assert list(texts[language]) == list(texts["en"])
        for key, text in texts["en"].items():
            other = texts[language][key]
            if isinstance(text, dict):
                assert list(other) == list(text)
                assert all(other.values())
            else:
                assert other
                assert list_places(other) == list_places(text), f"{language}: {key}"


def test_no_text_is_left_over_and_none_is_in_both_files() -> None:
    shared, own = read_texts("texts")["en"], read_texts("projector")["en"]
    assert not set(shared) & set(own)
    phone = "".join((ROOM / f"{name}.js").read_text("utf-8") for name in PHONE_SCRIPTS)
    phone += (ROOM / "phone.html").read_text("utf-8")
    projector = "".join(path.read_text("utf-8") for path in (LESSON / "room").iterdir())
    for key in {key for key, text in shared.items() if isinstance(text, str)} - SENTENCES - {"name"}:
        assert f'"{key}"' in phone + projector, key
    for key in set(own) - {"prompts"}:
        assert f'"{key}"' in projector or (key.startswith("next_") and "`next_$" in projector), key


def test_every_key_that_a_script_names_is_a_text() -> None:
    texts = {**read_texts("texts")["en"], **read_texts("projector")["en"]}
    named = re.compile(r'\bsay\("(\w+)"|data-text="(\w+)"')
    for path in [*ROOM.glob("*.js"), *ROOM.glob("*.html"), *(LESSON / "room").iterdir()]:
        for found in named.finditer(path.read_text("utf-8")):
            assert (found[1] or found[2]) in texts, f"{path.name}: {found[0]}"


def test_animals_colours_and_the_least_number_of_guesses_are_the_servers() -> None:
    texts = read_texts("texts")["en"]
    words = (ROOM / "words.js").read_text("utf-8")
    assert sorted(texts["animals"]) == sorted(ANIMALS)
    assert sorted(texts["colours"]) == sorted(COLOURS)
    assert all(re.search(rf'\b{colour}: \["#', words) for colour in COLOURS)
    assert f"const MIN_N = {MIN_N};" in words


def test_the_phones_scripts_are_those_that_browsers_of_2017_run() -> None:
    for name in PHONE_SCRIPTS:
        text = re.sub(r"//.*", "", (ROOM / f"{name}.js").read_text("utf-8"))
        found = LATER.search(text)
        assert found is None, f"{name}.js: {found and found[0]}"


def test_the_stations_words_are_in_its_markup_in_english() -> None:
    markup = fill_texts((LESSON / "room" / "room.html").read_text("utf-8"))
    assert '<button type="button" class="primary" id="room-open" data-text="open">Open a room</button>' in markup
    assert not re.search(r'data-text="\w+"></', markup)
