"""The teaching material is true to the page: what it calls by name is there, by that name, in each language."""

import json
import re
from collections import Counter
from typing import Final

import pytest

from demo.ui.components.lesson import CHAPTERS
from demo.ui.files import ASSETS, TEXTS
from demo.ui.teaching import FOLDER, PLACE, Material, read_material
from demo.ui.view.options import list_paces
from demo.ui.view.words import CONSTANTS

LANGUAGES: Final = tuple(CONSTANTS["languages"])
SHEETS: Final = ("run-of-show", "handout")
PHONES, PROJECTOR = (
    json.loads((ASSETS / "room" / f"{name}.json").read_text("utf-8")) for name in ("texts", "projector")
)
MARKUP: Final = "\n".join(path.read_text("utf-8") for path in (ASSETS / "lesson").glob("*/*.html"))
BOLD: Final = {"en": "Bold", "de": "Fettes", "fr": "gras"}  # the sheet says in bold what bold means
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
    """What the page says in a language for each of its English texts; in English the same."""
    path = TEXTS / f"{LANGUAGES[1] if language == 'en' else language}.json"
    texts: dict[str, str] = json.loads(path.read_text("utf-8"))
    return {english: english if language == "en" else flatten(text) for english, text in texts.items()}


def read_room(language: str) -> dict[str, str]:
    """What the projector and the phones of a room say, by its key."""
    texts = {**PHONES[language], **PROJECTOR[language]}
    return {key: flatten(text) for key, text in texts.items() if isinstance(text, str)}


def list_names(language: str) -> dict[str, set[str]]:
    """For each English name of what can be pressed, chosen or read, what it may be called in a language."""
    names: dict[str, set[str]] = {}
    rooms = zip(read_room("en").values(), read_room(language).values(), strict=True)
    for english, name in (*read_texts(language).items(), *rooms, *list_speeds(language)):
        names.setdefault(english, set()).add(name)
    return names


def list_speeds(language: str) -> list[tuple[str, str]]:
    rate = read_texts(language)["{rate} tokens/s"]
    return [(name, rate.replace("{rate}", str(pace))) for name, pace in list_paces() if pace]


def join(material: Material) -> str:
    return "\n".join(material[sheet] for sheet in SHEETS)


def flatten(text: str) -> str:
    """With plain spaces, as a person reads it."""
    return " ".join(text.split())


def list_bold(language: str) -> list[str]:
    """All names in bold but the first, which says what bold means."""
    return [flatten(name) for name in LABEL.findall(join(read_material(language)))]


def test_every_name_in_bold_is_on_the_page(language: str) -> None:
    names = set().union(*list_names(language).values())
    missing = [name for name in list_bold(language) if name not in names]
    assert missing == [BOLD[language]]


def test_every_language_names_the_same_things_and_links_to_the_same_stations(language: str) -> None:
    left, names = list_bold(language), {**list_names(language), BOLD["en"]: {BOLD[language]}}
    for english in list_bold("en"):
        found = next((name for name in left if name in names[english]), None)
        assert found is not None, english
        left.remove(found)
    assert left == []
    targets = [Counter(target for _, target in LINK.findall(join(read_material(each)))) for each in ("en", language)]
    assert targets[0] == targets[1]


def test_every_link_leads_to_a_station_by_its_title(language: str) -> None:
    texts = read_texts(language)
    stations = {f"station-{name}" for names in CHAPTERS.values() for name in names} | {"intro"}
    titles = {name: re.sub(r"<span.*?</span> ", "", title) for name, title in find_titles().items()}
    titles["intro"] = "The race"
    for title, target in LINK.findall(join(read_material(language))):
        assert target in stations
        expected = read_room(language)["title"] if target == "station-room" else texts[titles[target]]
        assert flatten(title) == expected


def find_titles() -> dict[str, str]:
    found = re.findall(r'<h3 id="title-(\w+)">(.*?)</h3>', MARKUP)
    return {f"station-{name}": title for name, title in found}


def test_every_key_is_one_of_the_page_or_of_the_room(language: str) -> None:
    texts = read_texts(language)
    keyed = next(text for english, text in texts.items() if english.startswith("<strong>Presenter view</strong>"))
    keys = set(re.findall("<kbd>(.+?)</kbd>", keyed)) | set(re.findall(r"\b([A-Z])\b", PROJECTOR[language]["keys"]))
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
