"""Three ways to the same answer, as a person tries them: one run, three readers, and what each took."""

import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Browser, expect

from demo.errors import EngineFailed
from demo.ui.view.words import format_seconds
from tests.browser.conftest import WORDS
from tests.browser.race import answer, begin
from tests.browser.station import Station
from tests.browser.tab import Tab, Tabs, open_tabs, read_seconds
from tests.scripted import ScriptedEngine

WAYS = ("streamed", "polling", "webhook")
DONE = "Done: all three readers have the whole text."
PACE = 10  # tokens/s, as the station says
Report = dict[str, Any]


class Ways(Station):
    """The station of the three ways, and its last job."""

    def __init__(self, tab: Tab) -> None:
        super().__init__(tab, "ways")
        self.job = ""
        expect(self.find("stop")).to_be_disabled()

    def choose(self, interval: str) -> None:
        """How often to poll, in seconds."""
        self.find("interval").select_option(interval)

    def begin(self, length: int | None = 32) -> None:
        """Press the button; returns once there is a job. Without a `length` it is the page's own."""
        if length is not None:
            self.find("length").select_option(str(length))
        with self.tab.page.expect_response("**/jobs") as response:
            self.find("begin").click()
        self.job = response.value.json()["id"]

    def wait(self) -> None:
        """Until everything is there, the charts too."""
        expect(self.find("status")).to_have_text(DONE)
        super().wait()
        for way in WAYS:
            expect(self.find(f"{way}-chart").locator(".main-svg").first).to_be_visible()

    def count(self, path: str) -> int:
        """How often the page asked for a path below the job."""
        urls = [request.url for request in self.requests if request.method == "GET"]
        return sum(re.search(rf"/jobs/{self.job}{path}$", url) is not None for url in urls)


@pytest.fixture(scope="module")
def finished(browser: Browser, typing_url: str) -> Iterator[Ways]:
    """A run that was polled seldom and then one at the page's own settings, for tests that only read."""
    with open_tabs(browser) as open_tab:
        ways = Ways(open_tab(typing_url))
        usual = ways.find("interval").input_value()
        ways.choose("5")
        ways.begin()
        ways.wait()
        ways.choose(usual)
        ways.begin(64)
        ways.wait()
        yield ways


@pytest.fixture(scope="module")
def report(finished: Ways, typing_url: str) -> Report:
    """What the server says of the last run."""
    report: Report = httpx2.get(f"{typing_url}/jobs/{finished.job}/report", trust_env=False).json()
    return report


def test_three_readers_of_one_run_end_with_the_same_text(finished: Ways) -> None:
    for way in WAYS:
        assert finished.find(f"{way}-text").text_content() == "".join(WORDS[:64])
        expect(finished.find(f"{way}-now")).to_contain_text("64 tokens")
    expect(finished.find("verdict")).to_contain_text("The same 64 tokens three times, ")


def test_the_table_says_what_the_server_reports_and_what_was_really_asked(finished: Ways, report: Report) -> None:
    told = [report["streamed"], report["polled"], report["webhook"]["report"]]
    names = ("requests", "empty_replies", "request_bytes", "reply_bytes")
    expected = [[*(f"{way[name]:,}" for name in names), format_seconds(way["mean_staleness"])] for way in told]
    assert [row[1:] for row in finished.read_rows("table")[:3]] == expected
    assert finished.count("/events") == report["streamed"]["requests"] == 1
    polls = [request for request in finished.requests if re.search(rf"/jobs/{finished.job}\?since=\d+$", request.url)]
    assert len(polls) == report["polled"]["requests"] > 1
    sizes = [request.sizes() for request in polls]
    replies = sum(each["responseHeadersSize"] + each["responseBodySize"] for each in sizes)
    assert replies == report["polled"]["reply_bytes"]  # as this browser counted them
    assert report["polled"]["request_bytes"] > sum(
        each["requestHeadersSize"] for each in sizes
    )  # it leaves out queries


def count_bytes(way: dict[str, Any]) -> int:
    return int(way["request_bytes"] + way["reply_bytes"])


def test_polling_often_costs_empty_replies_and_bytes_and_polling_seldom_age(finished: Ways, report: Report) -> None:
    streamed, polled, webhook = report["streamed"], report["polled"], report["webhook"]["report"]
    assert streamed["empty_replies"] == 0
    assert polled["empty_replies"] >= 5
    assert count_bytes(polled) > 2 * count_bytes(streamed)
    stream, often, _, seldom = finished.read_rows("table")
    assert often[0] == "Polling every 0.05 s"
    assert seldom[0] == "Polling every 5 s, earlier run"
    assert int(seldom[1]) == 1
    assert read_seconds(stream[5]) < read_seconds(often[5]) < 0.3 < 1 < read_seconds(seldom[5])
    assert streamed["mean_staleness"] < polled["mean_staleness"] < webhook["mean_staleness"]


def test_each_chart_says_when_the_tokens_arrived_and_they_share_their_axes(finished: Ways, report: Report) -> None:
    plots = [finished.find(f"{way}-chart").locator(".plot") for way in WAYS]
    drawn = [plot.evaluate("plot => plot.data.map((line) => [line.x, line.y])") for plot in plots]
    ranges = [plot.evaluate("plot => [plot.layout.xaxis.range, plot.layout.yaxis.range]") for plot in plots]
    assert ranges[0] == ranges[1] == ranges[2]
    for reader, engine in drawn:
        assert engine[0][1:-1] == pytest.approx(report["tokens"])
        assert reader[1] == sorted(reader[1])
        assert reader[1][-1] == 64
    assert [[at, told] for at, told in zip(*drawn[1][0], strict=True)][1:-1] == report["polled"]["arrivals"]
    assert drawn[2][0][1] == [0, 64, 64]
    for plot, title in zip(plots, ("Server-sent events", "Polling", "Webhook"), strict=True):
        expect(plot).to_have_attribute("aria-label", re.compile(f"^{title}: 64 tokens in "))


def test_the_run_is_slowed_as_the_page_says(tab: Tab, engine: ScriptedEngine) -> None:
    ways = Ways(tab)
    expect(ways.tab.find("station-ways")).to_contain_text(f"slowed to {PACE} tokens/s")
    ways.begin()
    assert engine.wait_for_ticket().request.pace == PACE
    expect(ways.find("status")).to_have_text(f"One run, slowed to {PACE} tokens/s; three readers …")
    ways.find("stop").click()
    expect(ways.find("begin")).to_be_enabled()


def test_the_interval_can_be_changed_while_the_model_writes(tab: Tab, engine: ScriptedEngine) -> None:
    ways = Ways(tab)
    ways.choose("5")
    ways.begin()
    ticket = begin(engine, "One ")
    expect(ways.find("streamed-text")).to_have_text("One")
    assert ways.count(r"\?since=\d+") == 0
    ways.choose("0.05")
    expect(ways.find("polling-text")).to_have_text("One", timeout=3000)
    assert ways.find("webhook-text").text_content() == ""
    ticket.write_last("two", "length")
    ways.wait()
    assert ways.find("webhook-text").text_content() == "One two"
    assert ways.read_rows("table")[1][0] == "Polling every 5, then 0.05 s"


def test_each_run_has_its_own_inbox_looked_into_only_after_the_end(tab: Tab, engine: ScriptedEngine) -> None:
    ways = Ways(tab)
    inboxes: list[set[str]] = []
    for number in (1, 2):
        ways.requests.clear()
        ways.begin()
        ticket = begin(engine, "One ", number=number)
        expect(ways.find("polling-text")).to_have_text("One")
        assert not [request for request in ways.requests if "/inbox/" in request.url]
        ticket.write_last("two", "length")
        ways.wait()
        inboxes.append({request.url for request in ways.requests if "/inbox/" in request.url})
    assert [len(each) for each in inboxes] == [1, 1]
    assert inboxes[0] != inboxes[1]


def test_stop_ends_the_work_and_all_readers_and_one_can_ask_again(tab: Tab, engine: ScriptedEngine) -> None:
    ways = Ways(tab)
    ways.choose("0.05")
    ways.begin()
    ticket = begin(engine, "One ")
    expect(ways.find("streamed-text")).to_have_text("One")
    ways.find("stop").click()
    expect(ways.find("status")).to_have_text("Stopped.")
    assert ticket.stopped.wait(10)
    expect(ways.find("begin")).to_be_enabled()
    expect(ways.find("results")).to_be_hidden()
    ways.begin()
    answer(engine.wait_for_ticket(2), "two")
    ways.wait()
    assert ways.find("streamed-text").text_content() == "two"


def test_a_page_that_is_left_ends_the_work(open_tab: Tabs, url: str, engine: ScriptedEngine) -> None:
    tab = open_tab(url)
    ways = Ways(tab)
    ways.begin()
    ticket = begin(engine, "One ")
    expect(ways.find("streamed-text")).to_have_text("One")
    tab.page.goto("about:blank")
    assert ticket.stopped.wait(10)
    tab.complaints.clear()  # Gradio's own, of the connection that it held open


def test_what_goes_wrong_is_one_sentence(tab: Tab, engine: ScriptedEngine) -> None:
    ways = Ways(tab)
    ways.begin()
    ticket = begin(engine, "One ")
    expect(ways.find("streamed-text")).to_have_text("One")
    ticket.fail(EngineFailed("Request failed during generation: it broke."))
    expect(ways.find("status")).to_have_text("Request failed during generation: it broke.")
    expect(ways.find("begin")).to_be_enabled()


def test_a_stream_that_is_refused_says_why(tab: Tab, engine: ScriptedEngine) -> None:
    ways = Ways(tab)
    ways.choose("5")
    ways.begin()
    engine.wait_for_ticket().fail(EngineFailed("Request failed during generation: it broke."))
    expect(ways.find("status")).to_have_text("Request failed during generation: it broke.")
    assert tab.complaints
    assert all("424" in complaint for complaint in tab.complaints)
    tab.complaints.clear()


def test_after_a_run_axe_finds_nothing_and_nothing_scrolls_sideways(finished: Ways) -> None:
    assert finished.tab.find_violations("#station-ways") == []
