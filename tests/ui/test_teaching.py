"""The teaching material is true to the page: what it calls by name is there, by that name, in each language."""

import json
import re
from collections import Counter
from typing import Any, Final

import pytest

from demo.ui.components.lesson import CHAPTERS
from demo.ui.files import ASSETS, TEXTS
from demo.ui.teaching import FOLDER, PLACE, Material, read_material
from demo.ui.view.options import SLIDERS
from demo.ui.view.speed import list_paces
from demo.ui.view.words import CONSTANTS

LANGUAGES: Final = tuple(CONSTANTS["languages"])
SHEETS: Final = ("run-of-show", "handout")
ROOM: Final[dict[str, dict[str, Any]]] = json.loads((ASSETS / "room" / "texts.json").read_text("utf-8"))
CONTENTS: Final = (ASSETS / "lesson" / "contents" / "contents.html").read_text("utf-8")
MARKUP: Final = "\n".join(path.read_text("utf-8") for path in (ASSETS / "lesson").glob("*/*.html"))
LABEL: Final = re.compile(r"\*\*(.+?)\*\*")
KEY: Final = re.compile(r"`(.+?)`")
LINK: Final = re.compile(r"\[([^\]]+)\]\(#([\w-]+)\)")
NUMBER: Final = re.compile(r"\d+")
# Minutes, and the numbers of questions: the show's own.
OWN_NUMBERS: Final = re.compile(
    r"^\| \d+–\d+ \||^## \d+.*$|^\d+\. |\d+ (?:bis|to|à) \d+|\b(?:10|20) [Mm]inut\w*", re.MULTILINE
)


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def read_texts(language: str) -> dict[str, str]:
    """What the page says in a language for each of its English texts; of English, each for itself."""
    texts: dict[str, str] = json.loads((TEXTS / f"{LANGUAGES[1]}.json").read_text("utf-8"))
    if language == "en":
        return {english: english for english in texts}
    return json.loads((TEXTS / f"{language}.json").read_text("utf-8"))  # type: ignore[no-any-return]


def join(material: Material) -> str:
    return "\n".join(material[sheet] for sheet in SHEETS)


def flatten(text: str) -> str:
    """With plain spaces, as a person reads it."""
    return " ".join(text.split())


def list_labels(language: str) -> set[str]:
    """Names of what can be pressed, chosen or read on the page, in a room or on its phones."""
    texts, room = read_texts(language), ROOM[language]
    speeds = [name.replace("tokens/s", texts["{rate} tokens/s"].removeprefix("{rate} ")) for name, _ in list_paces()]
    return {*map(flatten, texts.values()), *(text for text in room.values() if isinstance(text, str)), *speeds}


def test_every_name_in_bold_is_on_the_page(language: str) -> None:
    labels = list_labels(language) | {"Bold", "Fettes", "gras"}  # the sheet says what bold means
    missing = [name for name in LABEL.findall(join(read_material(language))) if flatten(name) not in labels]
    assert not missing


def test_every_language_names_the_same_things_and_stations() -> None:
    """A name that the room and the page both have counts as the page's."""
    english = read_texts("en")
    expected = [flatten(name) for name in LABEL.findall(join(read_material("en")))]
    targets = [target for _, target in LINK.findall(join(read_material("en")))]
    for language in LANGUAGES[1:]:
        texts, room = read_texts(language), ROOM[language]
        names = {flatten(name): flatten(texts[name]) for name in english}
        named_by_room = {text: room[key] for key, text in ROOM["en"].items() if isinstance(text, str)}
        speeds = dict(zip(sorted(list_labels("en")), [], strict=False))
        found = Counter(map(flatten, LABEL.findall(join(read_material(language)))))
        for name, count in Counter(expected).items():
            possible = {names.get(name), named_by_room.get(name), speeds.get(name)} - {None}
            assert not possible or sum(found[each] for each in possible) >= count, (language, name)
        assert Counter(target for _, target in LINK.findall(join(read_material(language)))) == Counter(targets)


def test_every_link_leads_to_a_station_by_its_title(language: str) -> None:
    texts = read_texts(language)
    stations = {f"station-{name}" for names in CHAPTERS.values() for name in names} | {"intro"}
    titles = {
        **{name: re.sub(r"<span.*?</span> ", "", title) for name, title in find_titles().items()},
        "intro": "The race",
    }
    for title, target in LINK.findall(join(read_material(language))):
        assert target in stations
        expected = ROOM[language]["title"] if target == "station-room" else texts[titles[target]]
        assert flatten(title) == flatten(expected)


def find_titles() -> dict[str, str]:
    found = re.findall(r'<h3 id="title-(\w+)">(.*?)</h3>', MARKUP)
    return {f"station-{name}": title for name, title in found}


def test_every_key_is_one_of_the_page_or_of_the_room(language: str) -> None:
    texts = read_texts(language)
    keyed = next(text for english, text in texts.items() if english.startswith("<strong>Presenter view</strong>"))
    keys = set(re.findall("<kbd>(.+?)</kbd>", keyed)) | set(re.findall(r"\b([A-Z])\b", ROOM[language]["keys"]))
    programs = {"429", "Retry-After", "data:"}
    words = {"keys", "Tasten", "touches"}  # the sheet says what this type means
    found = set(KEY.findall(join(read_material(language))))
    assert found <= keys | programs | words, found - keys - programs - words
    assert {"G", "R", "P", "O", "S", "N", "X"} <= found
    assert all(program in MARKUP or program == "data:" for program in programs)


def test_every_number_is_the_pages_own(language: str) -> None:
    """Those in braces are filled in from the page's data; any other stands in its texts too."""
    for sheet in SHEETS:
        text = (FOLDER / language / f"{sheet}.md").read_text("utf-8")
        bare = KEY.sub("", LINK.sub("", OWN_NUMBERS.sub("", text)))
        assert set(NUMBER.findall(bare)) <= {"95"}, sheet
    assert "95 %" in MARKUP
    filled = set(PLACE.findall(" ".join(path.read_text("utf-8") for path in (FOLDER / language).glob("*"))))
    assert filled == set(PLACE.findall(" ".join(path.read_text("utf-8") for path in (FOLDER / "en").glob("*"))))
    assert SLIDERS["length"].default == int(read_number(language, "race_length"))


def read_number(language: str, name: str) -> str:
    """A number as the material of a language shows it, in plain digits."""
    found = re.search(rf"(\S+)(?= \S*{name})|\{{{name}\}}", (FOLDER / language / "run-of-show.md").read_text("utf-8"))
    assert found is not None
    shown = re.search(r"(\d+) [Tt]okens?", read_material(language)["run-of-show"].split("tokens/s", 1)[-1])
    return shown[1] if shown else "0"


def test_the_quiz_asks_the_same_in_every_language() -> None:
    quizzes = [read_material(language)["quiz"] for language in LANGUAGES]
    shapes = [[(len(each["answers"]), each["right"]) for each in quiz] for quiz in quizzes]
    assert len(quizzes[0]) == 5
    assert shapes == [shapes[0]] * len(LANGUAGES)
    for quiz in quizzes:
        assert all(0 <= each["right"] < len(set(each["answers"])) == len(each["answers"]) for each in quiz)
    assert len({right for _, right in shapes[0]}) > 1  # nobody gets it right who always chooses the same


def test_a_thousand_is_written_as_the_language_writes_it() -> None:
    shown = [re.findall(r"1\D?000", read_material(language)["quiz"][0]["question"]) for language in LANGUAGES]
    assert shown == [["1,000"], ["1.000"], ["1\N{NARROW NO-BREAK SPACE}000"]]
