"""How long does it feel? Rounds as a person plays them, and what is said of the guesses."""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator
from statistics import fmean

import pytest
from playwright.sync_api import Browser, Page, expect

from demo.errors import Overloaded
from demo.interval import estimate_mean
from tests.browser.race import BUSY, begin
from tests.browser.serving import serve
from tests.browser.station import Station, took
from tests.browser.tab import LOOK_AWAY, LOOK_BACK, Tab, Tabs, open_tabs, read_seconds
from tests.scripted import ScriptedEngine, TypingEngine

ANSWER = [" the", " wind", " came", " over", " the", " hills", ".", " Nobody", " had", " seen", " it", "."]
FACTORS = {"streamed": (0.8, 1.0, 0.9), "whole": (1.5, 1.7, 1.6)}  # of what each wait took: how long it felt


class Perceived(Station):
    """The station of the felt waits, and how many rounds."""

    def __init__(self, tab: Tab, rounds: int = 6) -> None:
        super().__init__(tab, "perceived")
        self.wait()
        self.find("rounds").select_option(str(rounds))

    def ask(self) -> None:
        """Begin a round, with whatever is expected of it."""
        self.find("ask").get_by_role("button").click()

    def say(self, seconds: float) -> None:
        """The guess, once it is asked for."""
        expect(self.find("say")).to_be_visible()
        self.find("felt").fill(f"{seconds:.3f}")
        self.find("felt").press("Enter")


@pytest.fixture(scope="module")
def felt_url() -> Iterator[str]:
    with serve(TypingEngine(ANSWER, 0.02)) as url:
        yield url


@pytest.fixture(scope="module")
def finished(browser: Browser, felt_url: str) -> Iterator[Perceived]:
    """Six rounds, guessed and over, for tests that only read."""
    with open_tabs(browser) as open_tab:
        station = Perceived(open_tab(felt_url))
        factors = {mode: iter(values) for mode, values in FACTORS.items()}
        station.begin()
        for _ in range(6):
            station.find("expect-last").fill("2.5")
            station.ask()
            expect(station.find("say")).to_be_visible()
            station.say(next(factors[station.modes[-1]]) * took(station.asked[-1]))
        station.wait()
        station.find("results").locator("summary").click()
        yield station


@pytest.fixture(scope="module")
def page(finished: Perceived) -> Page:
    return finished.tab.page


# --- what is asked, and what is made of it ---------------------------------------------------------------------------


def test_each_way_is_shown_as_often_and_each_answer_has_its_own_length_and_opening(finished: Perceived) -> None:
    assert Counter(finished.modes) == {"streamed": 3, "whole": 3}
    bodies = [json.loads(request.post_data or "") for request in finished.asked]
    assert len({body["inputs"] for body in bodies}) == 6
    parameters = [body["parameters"] for body in bodies]
    assert {each["max_tokens_per_second"] for each in parameters} == {30}
    assert all(120 <= each["max_new_tokens"] <= 300 for each in parameters)
    assert len({each["max_new_tokens"] for each in parameters}) > 3


def test_the_table_has_the_true_waits_as_this_browser_saw_them(finished: Perceived) -> None:
    rows = finished.read_rows("table")
    assert [row[1] for row in rows] == finished.modes
    for row, request in zip(rows, finished.asked, strict=True):
        _, mode, tokens, expected_first, first, expected_last, last, felt, ratio = row
        assert (tokens, expected_first, expected_last) == (str(len(ANSWER)), "–", "2.50 s")
        assert took(request) - 0.02 <= read_seconds(last) <= took(request) + 1
        assert read_seconds(last) >= 0.95 * 0.02 * len(ANSWER)
        assert first == last or mode == "streamed"
        assert float(ratio) == pytest.approx(read_seconds(felt) / read_seconds(last), abs=0.02)


def test_means_intervals_and_the_sentence_are_those_of_the_rounds(finished: Perceived, page: Page) -> None:
    ratios = {mode: read_ratios(page, mode) for mode in FACTORS}
    for row, values in zip(finished.read_rows("means"), ratios.values(), strict=True):
        found = estimate_mean(values)
        ends = " to ".join(f"{end:.2f}".replace("-", "−") for end in (found.low, found.high))
        assert row[1:] == ["3", f"{found.mean:.2f}", ends]
    streamed, whole = (fmean(values) for values in ratios.values())
    expect(finished.find("verdict")).to_contain_text(
        f"On average a streamed answer felt {streamed:.2f} times as long as it was, a whole one {whole:.2f} times. "
    )


def read_ratios(page: Page, mode: str) -> list[float]:
    rounds = json.loads(page.evaluate("sessionStorage.getItem('perceived-latency')"))
    return [each["felt"] / each["total"] for each in rounds if each["mode"] == mode]


def test_the_chart_has_a_mark_for_each_round_around_the_diagonal(finished: Perceived) -> None:
    plot = finished.find("chart").locator(".plot")
    drawn = plot.evaluate("(plot) => Object.fromEntries(plot.data.map(({ name, x, y }) => [name, [[...x], [...y]]]))")
    diagonal_x, diagonal_y = drawn["felt as long as it was"]
    assert diagonal_x == diagonal_y
    for mode in FACTORS:
        rows = [row for row in finished.read_rows("table") if row[1] == mode]
        true, felt = drawn[mode]
        assert true == pytest.approx([read_seconds(row[6]) for row in rows], abs=0.0051)
        assert felt == pytest.approx([read_seconds(row[7]) for row in rows], abs=0.0051)
    assert finished.find("verdict").inner_text() in (plot.get_attribute("aria-label") or "")


def test_the_guesses_are_files_to_take_along(finished: Perceived, page: Page) -> None:
    with page.expect_download() as saved:
        finished.find("json").click()
    rounds = json.loads(saved.value.path().read_text())["rounds"]
    assert [each["mode"] for each in rounds] == finished.modes
    with page.expect_download() as saved:
        finished.find("csv").click()
    rows = list(csv.DictReader(saved.value.path().read_text().splitlines()))
    assert [float(row["total"]) for row in rows] == [each["total"] for each in rounds]
    assert {row["expectedFirst"] for row in rows} == {""}


# --- one round -------------------------------------------------------------------------------------------------------


def test_a_round_shows_no_clock_no_earlier_wait_and_no_sign_of_its_way_before_its_first_text(
    open_tab: Tabs, url: str, engine: ScriptedEngine
) -> None:
    station = Perceived(open_tab(url), rounds=2)
    station.begin()
    looks = {}
    for number in (1, 2):
        station.find("expect-first").fill("1")
        station.ask()
        ticket = begin(engine, number=number)
        mode, text = station.modes[-1], station.find("text")
        expect(station.find("status")).to_have_text(f"Round {number} of 2: asked, slowed to 30 tokens/s.")
        looks[mode] = text.evaluate("(text) => [text.lastChild.className, text.lastChild.textContent]")
        ticket.write(" One", " two")
        if mode == "streamed":
            expect(text).to_contain_text("One two")
            expect(station.find("status")).to_have_text(f"Round {number} of 2: the answer begins.")
        expect(station.find("results")).to_be_hidden()
        assert not re.search(r"\d m?s\b", station.tab.read("perceived-stage"))
        assert text.inner_text().endswith("two") == (mode == "streamed")
        ticket.write_last(" three", "length")
        expect(text).to_contain_text("One two three")
        expect(station.find("say")).to_be_visible()
        assert not re.search(r"\d m?s\b", station.tab.read("perceived-status"))
        station.say(4)
        expect(station.find("status")).to_contain_text("To you it felt like 4.00 s")
        expect(station.find("status")).to_contain_text("You had expected the first after 1.00 s.")
    assert looks["streamed"] == looks["whole"] == ["answer", ""]
    expect(station.find("status")).to_contain_text("All 2 rounds are over.")
    expect(station.find("verdict")).to_be_hidden()
    assert [row[2:] for row in station.read_rows("means")] == [["–", "from 3 guesses on"]] * 2


def test_stop_and_leaving_end_the_work_and_a_round_without_a_guess_is_none(
    open_tab: Tabs, url: str, engine: ScriptedEngine
) -> None:
    station = Perceived(open_tab(url))
    station.begin()
    station.ask()
    begin(engine)
    station.find("stop").click()
    assert engine.tickets[0].stopped.wait(20)
    expect(station.find("status")).to_have_text("Stopped.")
    for name in ("stage", "results"):
        expect(station.find(name)).to_be_hidden()
    station.begin()
    station.find("stop").click()
    station.wait()
    assert len(engine.tickets) == 1
    station.begin()
    station.ask()
    left = engine.wait_for_ticket(2)
    station.tab.page.close()
    assert left.stopped.wait(20)


def test_a_wait_that_was_not_watched_is_repeated(tab: Tab, engine: ScriptedEngine) -> None:
    station = Perceived(tab)
    station.begin()
    station.ask()
    ticket = begin(engine)
    station.tab.page.evaluate(LOOK_AWAY)
    ticket.write_last(" One", "length")
    expect(station.find("status")).to_have_text(
        "Another tab was in front: that round doesn't count, and is repeated. Round 1 of 6."
    )
    station.find("stop").click()
    station.tab.page.evaluate(LOOK_BACK)


def test_a_refused_request_is_one_sentence(tab: Tab, engine: ScriptedEngine) -> None:
    station = Perceived(tab)
    engine.refusal = Overloaded(BUSY)
    station.begin()
    station.ask()
    expect(station.find("status")).to_have_text(BUSY)
    expect(station.find("stage")).to_be_hidden()
    station.tab.expect_complaint(429)


def test_a_round_is_played_by_keyboard_kept_in_this_tab_and_deleted_on_request(
    finished: Perceived, open_tab: Tabs, felt_url: str
) -> None:
    station = Perceived(open_tab(felt_url), rounds=2)
    expect(finished.find("results")).to_be_visible()
    expect(station.find("results")).to_be_hidden()
    keyboard = station.tab.page.keyboard
    station.find("begin").focus()
    keyboard.press("Enter")
    for _ in range(2):
        expect(station.find("expect-first")).to_be_focused()
        keyboard.press("Enter")
        expect(station.find("felt")).to_be_focused()
        keyboard.press("Enter")
        expect(station.find("say")).to_be_visible()  # there is no guess yet
        keyboard.type("2.5")
        keyboard.press("Enter")
    station.wait()
    station.tab.page.reload()
    kept = Perceived(station.tab)
    station.tab.complaints.clear()  # Gradio's, of the event stream that the reload cut
    kept.find("results").locator("summary").click()
    assert [row[7] for row in kept.read_rows("table")] == ["2.50 s"] * 2
    kept.find("forget").click()
    expect(kept.find("results")).to_be_hidden()
    assert station.tab.page.evaluate("sessionStorage.getItem('perceived-latency')") == "[]"


def test_axe_is_content_during_a_round_in_light_and_after_it_in_dark(finished: Perceived) -> None:
    finished.tab.bring_to_front()
    finished.begin()
    finished.ask()
    expect(finished.find("say")).to_be_visible()
    assert finished.tab.find_violations("#station-perceived") == []
    finished.find("stop").click()
    expect(finished.find("results")).to_be_visible()
    finished.tab.page.evaluate("document.body.classList.add('dark')")
    assert finished.tab.find_violations("#station-perceived") == []
