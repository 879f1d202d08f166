"""A class in one race: a projector and three phones through all rounds, and a phone on a bad line."""

import csv
import re
import time
from collections.abc import Iterator
from typing import Final

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, expect

from tests.browser.bad_line import open_line
from tests.browser.room import SET_SLIDER, JoinPhones, Phone, Projector
from tests.browser.serving import serve
from tests.browser.tab import RUN_AXE, open_tabs
from tests.scripted import TypingEngine

WORDS: Final = [f"word{index} " for index in range(60)]
ANSWER: Final = "".join(WORDS).strip()
PAGE_BYTES: Final = 60_000
JOIN_SECONDS: Final = 2.0
REFUSED: Final = "status of 429"  # Chromium's own line in the console for a response that the page deals with


@pytest.fixture(scope="module")
def projector(browser: Browser) -> Iterator[Projector]:
    """One server and one tab for all tests of this file."""
    engine = TypingEngine(WORDS, 0.01)
    with serve(engine) as url, open_tabs(browser) as open_tab:
        yield Projector(open_tab(url, size="laptop"), engine)


@pytest.fixture
def address(projector: Projector) -> str:
    """Of a room that has just been opened."""
    projector.engine.may_end.set()
    return projector.open()


@pytest.fixture
def join(browser: Browser, address: str) -> Iterator[JoinPhones]:
    with JoinPhones(browser, address) as phones:
        yield phones


# --- all rounds ------------------------------------------------------------------------------------------------------


def test_a_class_plays_all_rounds(projector: Projector, join: JoinPhones) -> None:
    phones = [join(), join(), join()]
    expect(projector.tab.find("room-present")).to_have_text("3")
    play_race(projector, phones)
    play_prediction(projector, phones)
    play_stop(projector, phones)
    play_crowd(projector, phones)
    check_files(projector)
    projector.close()
    for phone in phones:
        phone.expect_scene("closed")
        assert not [line for line in phone.complaints if REFUSED not in line]
    assert projector.tab.complaints == []


def play_race(projector: Projector, phones: list[Phone]) -> None:
    """Streamed phones have text while whole ones wait; then all guess, and nothing is made of three guesses."""
    projector.engine.may_end.clear()
    projector.start("race")
    for phone in phones:
        phone.expect_scene("reading", "waiting")
    canvas = projector.tab.find("room-canvas")
    expect(canvas).to_have_attribute("aria-label", re.compile(r"Streamed: [12]\. Whole: [12]\."))
    before = canvas.evaluate("(canvas) => canvas.toDataURL()")
    reading = [phone for phone in phones if "word40" in phone.find("answer").inner_text() or phone.scene == "reading"]
    assert 1 <= len(reading) <= 2
    for phone in phones:
        assert bool(phone.find("answer").text_content()) == (phone in reading)
        assert not phone.scrolls
    for phone in reading:
        expect(phone.find("answer")).to_contain_text("word58")
    assert canvas.evaluate("(canvas) => canvas.toDataURL()") != before
    expect(projector.tab.find("room-text")).to_be_hidden()  # it would tell those who wait
    projector.engine.may_end.set()
    for number, phone in enumerate(phones):
        phone.expect_scene("guessing")
        expect(phone.find("answer")).to_have_text(ANSWER)
        assert not re.search(r"\d s\b", phone.page.locator("body").inner_text())
        phone.guess(last=300 + 50 * number)
    expect(projector.tab.find("room-counts")).to_have_text("Answers: 3 of 3")
    projector.press("n")
    expect(projector.tab.find("room-latest")).to_contain_text("Too few answers to say more")
    assert sorted(row[1] for row in projector.read_rows()) == ["1", "2"]
    assert all(row[2:4] == ["–", "–"] for row in projector.read_rows())
    for phone, felt in zip(phones, ("5.5", "7.5", "9.5"), strict=True):
        expect(phone.find("results")).to_contain_text(f"You said {felt} s.")
        expect(phone.find("results")).to_contain_text("It took")


def play_prediction(projector: Projector, phones: list[Phone]) -> None:
    """Everyone predicts before the run begins; the last word can't be before the first."""
    projector.start("predict")
    projector.expect_phase("predicting")
    asked = len(projector.engine.tickets)
    phones[0].find("guess").click()
    expect(phones[0].find("hint")).to_have_text("Move each slider first.")
    phones[0].find("guess-first-slider").evaluate(SET_SLIDER, 500)
    phones[0].find("guess-last-slider").evaluate(SET_SLIDER, 100)
    phones[0].find("guess").click()
    expect(phones[0].find("hint")).to_have_text("The last word can’t come before the first.")
    for phone in phones:
        phone.guess(first=100, last=400)
    expect(projector.tab.find("room-counts")).to_have_text("Answers: 3 of 3")
    assert len(projector.engine.tickets) == asked
    projector.press("n")
    for phone in phones:
        phone.expect_scene("guessing")
        phone.guess(last=300)
    projector.press("n")
    for phone in phones:
        expect(phone.find("results")).to_contain_text("You expected 0.60 s and 9.5 s.")


def play_stop(projector: Projector, phones: list[Phone]) -> None:
    """A phone that stops gets no more; the others get all."""
    projector.engine.may_end.clear()
    projector.start("stop")
    stopping, *others = phones
    stopping.expect_scene("stopping")
    stopping.find("stop").click()
    stopping.expect_scene("stopped")
    kept = stopping.find("answer").text_content() or ""
    expect(projector.tab.find("room-counts")).to_contain_text("Stopped: 1")
    for phone in others:
        expect(phone.find("answer")).to_contain_text("word58")
    expect(projector.tab.find("room-text")).to_contain_text("word58")
    assert stopping.find("answer").text_content() == kept
    assert len(kept.split()) < len(WORDS) - 1
    projector.engine.may_end.set()
    projector.expect_phase("ended")
    saved = len(WORDS) - len(kept.split())
    expect(stopping.find("results")).to_contain_text(f"Your Stop saved {saved} tokens.")
    expect(projector.tab.find("room-latest")).to_contain_text(f"Stopped early: 1. That saved {saved} tokens")


def play_crowd(projector: Projector, phones: list[Phone]) -> None:
    """With one place two of three are refused, wait as told, and are answered in the end."""
    projector.tab.page.locator("#room-kinds [value=crowd]").check(force=True)
    projector.tab.find("room-limit").select_option("1")
    projector.start("crowd")
    for phone in phones:
        phone.find("send").click()
    expect(projector.tab.find("room-counts")).to_have_text(re.compile(r"refused: [1-9]"))
    refused = [phone for phone in phones if any(REFUSED in line for line in phone.complaints)]
    assert refused
    projector.expect_phase("ended")
    expect(projector.tab.find("room-latest")).to_contain_text("Answered: 3. The server refused")
    for phone in phones:
        expect(phone.find("results")).to_contain_text("Answered: 3.")


def check_files(projector: Projector) -> None:
    """Answers as CSV, the picture, and a link that shows the results of all rounds in another tab."""
    page = projector.tab.page
    with page.expect_download() as saved:
        projector.tab.find("room-csv").click()
    rows = list(csv.DictReader(saved.value.path().read_text().splitlines()))
    assert {row["round"] for row in rows} == {"1", "2", "3", "4"}
    assert all(row["served_at"] for row in rows if row["round"] == "4")
    with page.expect_download() as saved:
        projector.tab.find("room-picture").click()
    assert saved.value.path().read_bytes().startswith(b"\x89PNG")
    projector.tab.find("room-link").click()
    link = projector.tab.find("room-link-text").input_value()
    other = page.context.new_page()
    other.goto(link)
    expect(other.locator("#room-status")).to_have_text("Results of an earlier room, out of the link.")
    expect(other.locator("#room-earlier h4")).to_have_count(3)
    expect(other.locator("#room-latest")).to_contain_text("Round 4: Everyone asks at once")
    expect(other.locator("#room-earlier")).to_contain_text("Stopped early: 1.")
    other.close()


# --- one phone -------------------------------------------------------------------------------------------------------


def test_a_phone_that_loses_its_line_has_the_whole_answer_once_back(projector: Projector, join: JoinPhones) -> None:
    served, code = join.address.split("/room/")
    with open_line(served) as line:
        stays, lost = join(), join(f"{line.url}/room/{code}")
        projector.engine.may_end.clear()
        projector.start("stop")  # everybody is streamed
        expect(lost.find("answer")).to_contain_text("word2")
        line.cut()
        expect(lost.find("lost")).to_be_visible()
        expect(stays.find("answer")).to_contain_text("word58")
        assert "word58" not in (lost.find("answer").text_content() or "")
        line.mend()
        expect(lost.find("answer")).to_have_text(" ".join(WORDS[:-1]))
        expect(lost.find("lost")).to_be_hidden()
        projector.engine.may_end.set()
        lost.expect_scene("results")
    assert all("net::ERR" in complaint for complaint in lost.complaints)


def test_a_phone_without_a_network_says_so_and_then_asks_for_the_state(projector: Projector, join: JoinPhones) -> None:
    phone = join()
    phone.context.set_offline(True)
    expect(phone.find("lost")).to_be_visible()
    with phone.page.expect_request("**/events") as asked:
        phone.context.set_offline(False)
    assert "last-event-id" not in asked.value.headers
    expect(phone.find("lost")).to_be_hidden()
    expect(projector.tab.find("room-present")).to_have_text("1")


def test_after_a_reload_the_teacher_is_back_and_phones_keep_numbers(projector: Projector, join: JoinPhones) -> None:
    first, second = join(), join()
    projector.start("predict")
    code = projector.tab.find("room-code").inner_text()
    projector.tab.page.reload()
    projector.tab.find("presenter").click()
    expect(projector.tab.find("room-code")).to_have_text(code)
    expect(projector.tab.find("room-present")).to_have_text("2")
    projector.expect_phase("predicting")
    projector.tab.complaints.clear()  # Gradio's, of the event stream that the reload cut
    second.page.reload()
    second.expect_scene("predicting")
    assert (first.find("badge").inner_text(), second.find("badge").inner_text()) == ("1", "2")


def test_a_wrong_code_is_a_sentence_and_the_right_one_can_be_typed(join: JoinPhones, browser: Browser) -> None:
    path, code = join.address.rsplit("/", 1)
    phone = Phone(browser, f"{path}/zzzzzz")
    join.callback(phone.context.close)
    expect(phone.find("hint")).to_have_text("There is no room ZZZZZZ: type the code on the projector.")
    phone.find("code").fill(code.lower())
    phone.find("code").press("Enter")
    phone.expect_scene("lobby")
    expect(phone.find("recorded")).to_contain_text("your answers of each round, in the server’s memory, until")
    assert all("404" in line for line in phone.complaints)


def test_the_phones_page_is_small_joins_at_once_and_loads_nothing_else(join: JoinPhones) -> None:
    began = time.perf_counter()
    phone = join()
    assert time.perf_counter() - began < JOIN_SECONDS
    loaded = [response for response in phone.responses if "/rooms/" not in response.url]
    assert len(loaded) == 1
    assert len(loaded[0].body()) < PAGE_BYTES
    assert not phone.scrolls


def test_a_phone_speaks_the_rooms_language_or_the_chosen_one_and_axe_is_content_in_light_and_dark(
    projector: Projector, join: JoinPhones, browser: Browser
) -> None:
    elsewhere = Phone(browser, f"{join.address.rsplit('/', 1)[0]}/zzzzzz", "de-DE")  # no room's language: the phone's
    join.callback(elsewhere.context.close)
    expect(elsewhere.find("headline")).to_have_text("Welcher Raum?")
    phone = join(language="de-DE")
    expect(phone.find("headline")).to_have_text("You are in")
    phone.find("language").select_option("fr")
    expect(phone.find("headline")).to_have_text("C’est bon")
    phone.page.reload()
    expect(phone.find("headline")).to_have_text("C’est bon")
    assert phone.find_violations() == []
    projector.start("predict")
    phone.expect_scene("predicting")
    phone.page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    assert phone.find_violations() == []
    assert not phone.scrolls


def test_axe_is_content_with_the_projector(projector: Projector, address: str) -> None:
    assert address
    projector.start("predict")
    projector.tab.page.evaluate(AXE_SCRIPT)
    assert projector.tab.page.evaluate(RUN_AXE, "#station-room") == []
