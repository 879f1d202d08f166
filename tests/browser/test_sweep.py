"""The sweep, as a person runs it: what is asked, what is shown, and that both are the same numbers."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import median

import pytest
from playwright.sync_api import Browser, expect

from demo.engine import Ready
from demo.errors import Overloaded
from demo.ui.view.words import CONSTANTS
from tests.browser.conftest import WORDS, Stage
from tests.browser.race import BUSY, answer, begin
from tests.browser.serving import serve
from tests.browser.station import Station, took
from tests.browser.tab import Tab, Tabs, open_tabs, read_seconds
from tests.scripted import CARD, ScriptedEngine, TypingEngine

PROMPT = "Once upon a time, in a small village by the sea,"
ROUNDS = 3
WARM_UP = [("generate_stream", 8), ("generate", 8)]
PACE = 0.004


def make_small_engine(room: int) -> TypingEngine:
    """Its server takes few tokens in all; the prompt's are its characters."""
    card = replace(CARD, max_input_tokens=len(PROMPT), max_total_tokens=len(PROMPT) + room)
    return TypingEngine(WORDS, 0.001, Ready(card))


class Sweep(Station):
    """The station of the sweep, up to a length."""

    def __init__(self, tab: Tab, longest: int = 128) -> None:
        super().__init__(tab, "sweep")
        expect(self.find("plan")).not_to_be_empty()
        self.find("longest").select_option(str(longest))

    @property
    def lengths(self) -> list[tuple[str, int]]:
        """Of each request the route and how many tokens it asked for."""
        bodies = [json.loads(request.post_data or "") for request in self.asked]
        lengths = [body["parameters"]["max_new_tokens"] for body in bodies]
        return list(zip((request.url.rsplit("/", 1)[1] for request in self.asked), lengths, strict=True))

    @property
    def rows(self) -> list[list[str]]:
        """The table."""
        return self.read_rows("table")


@dataclass(frozen=True, slots=True)
class Finished:
    """A sweep at its end, what was planned before it, and the engine that answered it."""

    sweep: Sweep
    url: str
    planned: list[str]
    engine: TypingEngine


@pytest.fixture(scope="module")
def whole(browser: Browser) -> Iterator[Finished]:
    """For tests that only read."""
    engine = TypingEngine(WORDS, PACE)
    with serve(engine) as url, open_tabs(browser) as open_tab:
        sweep = Sweep(open_tab(url), longest=512)
        planned = []
        for longest in (512, 128):
            sweep.find("longest").select_option(str(longest))
            planned.append(sweep.find("plan").inner_text())
        sweep.run()
        yield Finished(sweep, url, planned, engine)


@pytest.fixture(scope="module")
def finished(whole: Finished) -> Sweep:
    return whole.sweep


def test_one_click_asks_thrice_for_every_length_in_both_modes_greedily_past_the_end_token(whole: Finished) -> None:
    both = [(route, length) for length in (16, 32, 64, 128) for route in ("generate_stream", "generate")]
    assert whole.sweep.lengths == [*WARM_UP, *both * ROUNDS]
    asked = [ticket.request for ticket in whole.engine.tickets]
    assert [request.max_new_tokens for request in asked] == [length for _, length in whole.sweep.lengths]
    assert all(request.ignore_eos and not request.sampling.is_random for request in asked)
    assert not any(request.cache_prompt for request in asked)
    assert {request.prompt for request in asked} == {PROMPT}


def test_the_table_has_the_medians_of_the_requests_times_and_the_tokens_that_really_came(finished: Sweep) -> None:
    rows = finished.rows
    assert [row[0] for row in rows] == ["16", "32", "64", "120 (of 128)"]

    def measure(route: str, length: int) -> float:
        requests = zip(finished.lengths, finished.asked, strict=True)
        return median(took(request) for asked, request in requests if asked == (route, length))

    for (_, ttft, total, whole), length in zip(rows, (16, 32, 64, 128), strict=True):
        assert read_seconds(total) == pytest.approx(measure("generate_stream", length), abs=0.25)
        assert read_seconds(whole) == pytest.approx(measure("generate", length), abs=0.25)
        tokens = min(length, len(WORDS))
        assert read_seconds(total) >= PACE * tokens * 0.95
        assert read_seconds(ttft) < read_seconds(total)
    assert read_seconds(rows[-1][1]) < read_seconds(rows[-1][2]) / 2


def test_streamings_first_text_stays_flat_while_waiting_grows_and_a_sentence_says_so(finished: Sweep) -> None:
    ttfts = [read_seconds(row[1]) for row in finished.rows]
    waits = [read_seconds(row[3]) for row in finished.rows]
    assert waits[0] < min(waits[1:]) <= max(waits[:-1]) < waits[-1]
    assert waits[-1] > 3 * waits[0]
    first = _say_range([f"{round(1000 * ttft)} ms" for ttft in (min(ttfts), max(ttfts))])
    start = f"From 16 to 120 tokens the first text came after {first} with streaming; waiting took "
    said = finished.find("verdict").inner_text()
    assert said.startswith(start)
    shortest, longest = finished.rows[0][3], finished.rows[-1][3]
    assert said.removeprefix(start) in (f"{shortest} to {longest}.", f"{shortest.split()[0]} to {longest}.")


def _say_range(ends: list[str]) -> str:
    low, high = ends
    return low if low == high else f"{low.removesuffix(' ms')} to {high}"


def test_the_chart_draws_a_line_through_the_medians_of_the_table_and_a_mark_for_every_sample(finished: Sweep) -> None:
    plot = finished.tab.page.locator("#sweep-chart .plot")
    drawn = plot.evaluate("(plot) => plot.data.map(({ name, x, y }) => [name, [...x], [...y]])")
    colours = plot.evaluate("(plot) => plot.data.map(({ name, marker }) => [name.split(':')[0], marker.color])")
    assert all(CONSTANTS["colours"][mode] == colour for mode, colour in colours)
    assert [name for name, _, _ in drawn[::2]] == [
        "whole: first text = total",
        "streamed: total",
        "streamed: first text (TTFT)",
    ]
    for (_, tokens, seconds), (_, _, samples), column in zip(drawn[::2], drawn[1::2], (3, 2, 1), strict=True):
        assert tokens == [16, 32, 64, 120]
        assert seconds == pytest.approx([read_seconds(row[column]) for row in finished.rows], abs=0.0051)
        assert [median(samples[at : at + ROUNDS]) for at in range(0, len(samples), ROUNDS)] == seconds
    assert "From 16 to 120 tokens" in (plot.get_attribute("aria-label") or "")


def test_it_says_how_much_is_asked_for_and_about_how_long_that_takes_here(open_tab: Tabs, whole: Finished) -> None:
    longer, planned = whole.planned
    assert "38 requests, 6,064 tokens in all. How long that takes here is said as soon as" in longer
    assert "26 requests, 1,456 tokens in all." in planned
    found = re.search(r"about (\d+) s here, at the ([\d.]+) tokens/s", whole.sweep.find("plan").inner_text())
    assert found is not None
    assert float(found[1]) == pytest.approx(1456 / float(found[2]), abs=0.6)
    again = Sweep(open_tab(whole.url))
    expect(again.find("plan")).to_contain_text("that this server has had so far, by its own clock")


def test_progress_names_the_length_the_mode_and_what_is_left(tab: Tab, engine: ScriptedEngine) -> None:
    sweep = Sweep(tab)
    status = sweep.find("status")
    sweep.begin()
    expect(status).to_have_text("Warming up: two short requests that are dropped.")
    steps = ["16 tokens, streamed: 1 of 24;", "16 tokens, whole: 2 of 24;", "32 tokens, streamed: 3 of 24;"]
    for number, said in enumerate(["Warming up", *steps], 1):
        answer(engine.wait_for_ticket(number), "One ", "two")
        expect(status).to_contain_text(re.compile(f"{said}.*(about .+ left|dropped)"))
    assert status.get_attribute("role") == "status"
    sweep.find("stop").click()
    expect(status).to_have_text("Stopped.")


@pytest.mark.parametrize("answered", [1, 2], ids=["streamed", "whole"])
def test_stop_aborts_a_request_and_keeps_what_was_measured(tab: Tab, engine: ScriptedEngine, answered: int) -> None:
    sweep = Sweep(tab)
    sweep.begin()
    for number in range(1, 4 + answered):
        answer(engine.wait_for_ticket(number), "One ", "two")
    under_way = begin(engine, "One ", number=4 + answered)
    expect(sweep.tab.page.locator("#sweep-table tbody tr")).to_have_count(answered)
    sweep.find("stop").click()
    assert under_way.stopped.wait(20)
    assert under_way.cancelled
    expect(sweep.find("status")).to_have_text("Stopped.")
    sweep.wait()
    assert len(engine.tickets) == 4 + answered
    rows = sweep.rows
    assert len(rows) == answered
    assert all(cell != "–" for cell in rows[0])
    assert [row[3] for row in rows[1:]] == ["–"] * (answered - 1)
    expect(sweep.find("verdict")).to_contain_text("At 2 tokens the first text came after")


def test_a_length_that_the_server_can_not_take_is_left_out_and_said(stage: Stage) -> None:
    sweep = Sweep(stage.show(make_small_engine(room=40)))
    sweep.run()
    assert [length for _, length in sweep.lengths] == [8, 8, *[16, 16, 32, 32] * ROUNDS]
    left_out = "Left out: 64, 128 tokens, since with the prompt's 48 tokens that is more than the 88 this server"
    expect(sweep.find("left-out")).to_contain_text(left_out)
    expect(sweep.find("status")).to_contain_text("Done: 12 requests")


def test_a_server_that_takes_none_of_the_lengths_is_one_sentence(stage: Stage) -> None:
    sweep = Sweep(stage.show(make_small_engine(room=10)))
    sweep.run()
    said = "This server takes none of these lengths: start it with a larger --max-total-tokens."
    expect(sweep.find("status")).to_have_text(said)
    assert sweep.asked == []


def test_a_refused_request_is_one_sentence_and_the_sweep_can_be_run_again(tab: Tab, engine: ScriptedEngine) -> None:
    sweep = Sweep(tab)
    engine.refusal = Overloaded(BUSY)
    sweep.run()
    expect(sweep.find("status")).to_have_text(BUSY)
    assert sweep.find("status").evaluate("(status) => status.classList.contains('wrong')")
    sweep.tab.expect_complaint(429)
    engine.refusal = None
    sweep.begin()
    expect(sweep.find("status")).to_have_text("Warming up: two short requests that are dropped.")
    engine.wait_for_ticket(1)
    sweep.find("stop").click()
    sweep.wait()


def test_run_from_the_keyboard_alone_axe_is_content_and_nothing_scrolls_sideways(stage: Stage) -> None:
    sweep = Sweep(stage.show(TypingEngine(WORDS, 0)), longest=256)
    keyboard = sweep.tab.page.keyboard
    sweep.find("longest").focus()
    keyboard.press("ArrowUp")
    keyboard.press("Tab")
    keyboard.press("Enter")
    expect(sweep.find("status")).to_contain_text("Done: 24 requests")
    expect(sweep.tab.page.locator("#sweep-chart .main-svg").first).to_be_visible()
    assert sweep.tab.find_violations("#station-sweep") == []
