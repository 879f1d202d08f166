"""Station 8: many people click at once. What the page says is what the server told it."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from demo.engine import Log, Ticket
from demo.events import Event, Sent, Started
from demo.request import Request
from demo.settings import Settings
from demo.ui.view.words import format_seconds
from tests.browser.conftest import Stage
from tests.browser.serving import serve
from tests.browser.station import Station
from tests.browser.tab import Tab, Tabs, open_tabs, read_seconds
from tests.scripted import ScriptedEngine, TypingEngine

WORDS = [f"word{index} " for index in range(64)]
FINISHED = re.compile(r"^All finished after [\d.]+ m?s\.$")


class DistantEngine(TypingEngine):
    """Tells that a request was sent, as an engine elsewhere does, and its start with the first token."""

    def submit(self, request: Request, log: Log) -> Ticket:
        def tell(*events: Event) -> None:
            if isinstance(events[0], Started):
                log(Sent(events[0].time))
            log(*events)

        return super().submit(request, tell)


class Crowd(Station):
    """The station of the crowds, as a person uses it."""

    def __init__(self, tab: Tab) -> None:
        super().__init__(tab, "enough")
        expect(self.find("once")).not_to_be_empty()

    def turn(self, dial: str, value: int) -> None:
        """Set a dial."""
        self.find(dial).fill(str(value))
        expect(self.find(f"{dial}-said")).to_have_text(str(value))

    def click(self, way: str) -> Any:
        """One crowd, to its end; returns what the server's last event told."""
        with self.tab.page.expect_response("**/crowds") as asked:
            self.find(way).click()
        expect(self.find("status")).to_have_text(FINISHED)
        told = [line.removeprefix("data: ") for line in asked.value.text().splitlines() if line.startswith("data: ")]
        return json.loads(told[-1])

    def verdict(self, way: str) -> Locator:
        return self.find(f"result-{way}").locator(".verdict")

    def charts(self, way: str) -> Locator:
        return self.find(f"result-{way}").locator("[role=img]")


@pytest.fixture(scope="module")
def typing() -> Iterator[str]:
    """The page in front of an engine whose answers take a third of a second."""
    with serve(TypingEngine(WORDS, 0.02)) as url:
        yield url


@pytest.fixture(scope="module")
def kept(browser: Browser, typing: str) -> Iterator[Crowd]:
    """The station in a tab that stays open."""
    with open_tabs(browser) as open_tab:
        yield Crowd(open_tab(typing))


@pytest.fixture
def station(kept: Crowd) -> Crowd:
    kept.tab.bring_to_front()
    return kept


def assert_same(shown: str, told: float | None) -> None:
    """A time in words, and what the server said in seconds."""
    if told is None:
        assert shown == "–"
    else:
        assert read_seconds(shown) == pytest.approx(told, abs=0.0006 if told < 0.9995 else 0.06)


def assert_rows_tell(rows: list[list[str]], clients: list[dict[str, Any]]) -> None:
    assert len(rows) == len(clients)
    for row, visit in zip(rows, clients, strict=True):
        client, attempts, statuses, queue, ttft, waited, end = row
        timings = visit["timings"] or {}
        assert (int(client), int(attempts)) == (visit["client"], len(visit["attempts"]))
        said = [each["status"] for each in visit["attempts"]]
        assert ("200" in statuses, "429" in statuses) == (200 in said, 429 in said)
        for shown, told in ((queue, timings.get("queue_time")), (ttft, timings.get("time_to_first_token"))):
            assert_same(shown, None if told is None else told / 1000)
        assert_same(waited, visit["waited"])
        assert_same(end, visit["end"])


def test_a_click_shows_who_is_served_and_who_is_refused_as_the_server_told_it(open_tab: Tabs, typing: str) -> None:
    station = Crowd(open_tab(typing))
    expect(station.find("columns")).to_be_hidden()  # nothing yet: no empty boxes
    expect(station.find("refusal")).to_be_hidden()
    ended = station.click("once")
    assert [visit["outcome"] for visit in ended["clients"]].count("served") == 4
    refusals = [first["answered"] - first["asked"] for first in firsts(ended) if first["status"] == 429]
    (least, unit), (most, other) = (format_seconds(find(refusals)).split() for find in (min, max))
    told = "4 of 20 were served at once, 16 got 429 overloaded after "
    between = f"{least} to {most} {other}" if unit == other else f"{least} {unit} to {most} {other}"
    assert station.verdict("once").inner_text() in (f"{told}{between}.", f"{told}{most} {other}.")
    assert_rows_tell(station.read_rows("result-once"), ended["clients"])
    expect(station.charts("once")).to_have_count(2)
    expect(station.charts("once").first).to_have_attribute("aria-label", station.verdict("once").inner_text())
    shown = station.find("refusal").locator("pre").inner_text()
    assert shown == f"{ended['refusal']['head']}\n\n{ended['refusal']['body']}"
    assert shown.startswith("HTTP/1.1 429 Too Many Requests")
    assert "retry-after: 1" in shown


def firsts(ended: dict[str, Any]) -> list[dict[str, Any]]:
    return [visit["attempts"][0] for visit in ended["clients"]]


def test_clients_that_honour_retry_after_are_all_served_and_both_results_stay_side_by_side(station: Crowd) -> None:
    station.turn("clients", 10)
    station.turn("limit", 4)
    station.click("once")
    before = station.verdict("once").inner_text()
    ended = station.click("patient")
    assert {visit["outcome"] for visit in ended["clients"]} == {"served"}
    verdict = station.verdict("patient").inner_text()
    shown = re.fullmatch(
        r"With retries all 10 were served; the last first token came after (.+)\. Each of the (\d+) refusals said "
        r"Retry-After: 1; the clients waited (.+) to (.+) s before they retried\.",
        verdict,
    )
    assert shown, verdict
    assert_same(shown[1], max(visit["first_token"] for visit in ended["clients"]))
    assert int(shown[2]) == sum(len(visit["attempts"]) - 1 for visit in ended["clients"])
    assert 1 <= float(shown[3]) < float(shown[4])
    assert_rows_tell(station.read_rows("result-patient"), ended["clients"])
    assert station.verdict("once").inner_text() == before
    boxes = [station.find(f"result-{way}").bounding_box() for way in ("once", "patient")]
    assert boxes[0]
    assert boxes[1]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    for way in ("once", "patient"):
        for chart in station.charts(way).all():
            assert chart.evaluate("(plot) => plot.querySelector('.main-svg').clientWidth <= plot.clientWidth")


def test_the_dials_say_how_many_come_and_how_many_are_served(station: Crowd) -> None:
    station.turn("clients", 20)
    expect(station.find("once")).to_have_text("Twenty people click at once")
    station.turn("clients", 35)
    expect(station.find("once")).to_have_text("Thirty-five people click at once")
    station.turn("clients", 5)
    expect(station.find("once")).to_have_text("Five people click at once")
    station.turn("limit", 2)
    station.click("once")
    expect(station.verdict("once")).to_contain_text("2 of 5 were served at once, 3 got 429 overloaded")
    station.turn("limit", 8)
    station.click("once")
    expect(station.verdict("once")).to_have_text("5 of 5 were served at once, and none was refused.")
    assert len(station.read_rows("result-once")) == 5


def test_the_queue_of_an_engine_elsewhere_is_not_made_up(stage: Stage) -> None:
    station = Crowd(stage.show(DistantEngine(WORDS, 0.01)))
    ended = station.click("once")
    assert {visit["started"] for visit in ended["clients"]} == {None}
    chart = station.charts("once").first
    expect(chart.locator(".legendtext").filter(has_text="waiting for the engine")).to_be_visible()
    expect(chart.locator(".legendtext").filter(has_text="queue")).to_have_count(0)


def test_the_chart_is_drawn_while_it_happens_and_stop_sends_everyone_home(tab: Tab, engine: ScriptedEngine) -> None:
    station = Crowd(tab)
    expect(station.find("stop")).to_be_disabled()
    station.find("patient").click()
    expect(station.find("once")).to_be_disabled()
    expect(station.charts("patient").locator(".main-svg").first).to_be_visible()
    tickets = [engine.wait_for_ticket(number) for number in range(1, 5)]
    assert not any(ticket.cancelled for ticket in tickets)
    expect(station.find("status")).to_have_text("Requests in flight …")
    station.find("stop").click()
    expect(station.find("status")).to_have_text("Stopped.")
    assert all(ticket.stopped.wait(20) for ticket in tickets)
    expect(station.verdict("patient")).to_be_empty()
    for way in ("once", "patient"):
        expect(station.find(way)).to_be_enabled()


def test_of_two_crowds_one_is_refused_and_leaving_the_page_sends_everyone_home(
    open_tab: Tabs, tab: Tab, engine: ScriptedEngine, url: str
) -> None:
    first, second = Crowd(open_tab(url)), Crowd(tab)
    first.find("once").click()
    expect(first.charts("once").locator(".main-svg").first).to_be_visible()
    tickets = [engine.wait_for_ticket(number) for number in range(1, 5)]
    second.find("once").click()
    expect(second.find("status")).to_have_text("Another load test is running: try again when it has ended.")
    second.tab.expect_complaint(429)
    first.tab.page.close()
    assert all(ticket.stopped.wait(20) for ticket in tickets)


def test_a_missing_key_is_one_sentence(open_tab: Tabs) -> None:
    with serve(ScriptedEngine(), Settings(port=0, api_key="secret", open_page=True)) as url, closing(open_tab):
        station = Crowd(open_tab(url))
        station.tab.page.context.clear_cookies()  # with them the visitor's session
        station.find("once").click()
        expect(station.find("status")).to_contain_text("The API key is missing or wrong")
        station.tab.expect_complaint(401)


def test_after_a_run_axe_finds_nothing_and_nothing_scrolls_sideways(station: Crowd) -> None:
    station.turn("clients", 10)
    station.click("once")
    station.click("patient")
    assert station.tab.find_violations("#station-enough") == []
