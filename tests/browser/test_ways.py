"""Three ways to the same answer, as a person tries them: one run, three readers, and what each took."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Request, expect

from demo.errors import EngineFailed
from tests.browser.conftest import WORDS
from tests.browser.serving import Served
from tests.browser.tab import Tab, Tabs, open_tabs
from tests.browser.test_page import watch_cancel
from tests.scripted import ScriptedEngine

WAYS = ("streamed", "polling", "webhook")
DONE = "Done: all three readers have all of it."
Report = dict[str, Any]


class Ways:
    """The station in one tab, and what the page asked the server for."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab
        self.asked: list[Request] = []
        self.job = ""
        tab.page.on("request", lambda request: self.asked.append(request))
        tab.find("station-ways").scroll_into_view_if_needed()
        expect(self.find("stop")).to_be_disabled()

    def find(self, name: str) -> Locator:
        """A part of the station."""
        return self.tab.find(f"ways-{name}")

    def turn(self, seconds: float) -> None:
        """The dial of the interval."""
        self.find("interval").fill(str(seconds))

    def begin(self, length: int = 32) -> None:
        """Press the button; returns once there is a job."""
        self.find("length").select_option(str(length))
        with self.tab.page.expect_response("**/jobs") as response:
            self.find("begin").click()
        self.job = response.value.json()["id"]

    def wait(self) -> None:
        """Until everything is there, the charts too."""
        expect(self.find("status")).to_have_text(DONE)
        expect(self.find("begin")).to_be_enabled()
        for way in WAYS:
            expect(self.find(f"{way}-chart").locator(".main-svg").first).to_be_visible()

    def read_rows(self) -> list[list[str]]:
        """The table, as a person reads it."""
        return [row.locator("td").all_inner_texts() for row in self.find("table").locator("tbody tr").all()]

    def count(self, path: str) -> int:
        """How often the page asked for a path below the job."""
        urls = [request.url for request in self.asked if request.method == "GET"]
        return sum(re.search(rf"/jobs/{self.job}{path}$", url) is not None for url in urls)


@pytest.fixture(scope="module")
def finished(browser: Browser, typing_url: str) -> Iterator[Ways]:
    """A run of 64 tokens that all readers have, for tests that only read."""
    with open_tabs(browser) as open_tab:
        ways = Ways(open_tab(typing_url))
        ways.turn(0.2)
        ways.begin(64)
        ways.wait()
        yield ways


@pytest.fixture(scope="module")
def report(finished: Ways, typing_url: str) -> Report:
    """What the server says of that run."""
    report: Report = httpx.get(f"{typing_url}/jobs/{finished.job}/report", trust_env=False).json()
    return report


def say_seconds(seconds: float) -> str:
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"


def test_three_readers_of_one_run_end_with_the_same_text(finished: Ways) -> None:
    for way in WAYS:
        assert finished.find(f"{way}-text").text_content() == "".join(WORDS[:64])
        expect(finished.find(f"{way}-now")).to_contain_text("64 tokens")
    assert sum(request.method == "POST" and request.url.endswith("/jobs") for request in finished.asked) == 1
    expect(finished.find("verdict")).to_contain_text("The same 64 tokens, letter for letter.")


def test_the_table_says_what_the_server_reports_and_what_was_really_asked(finished: Ways, report: Report) -> None:
    told = [report["streamed"], report["polled"], report["webhook"]["report"]]
    expected = [
        [f"{way['requests']:,}", f"{way['empty_replies']:,}", f"{way['bytes']:,}", say_seconds(way["mean_staleness"])]
        for way in told
    ]
    assert [row[1:] for row in finished.read_rows()] == expected
    assert finished.count("/events") == report["streamed"]["requests"] == 1
    polls = [request for request in finished.asked if re.search(rf"/jobs/{finished.job}\?since=\d+$", request.url)]
    assert len(polls) == report["polled"]["requests"] > 1
    bodies = [response.body() for request in polls if (response := request.response())]
    assert sum(map(len, bodies)) == report["polled"]["bytes"]
    looks = [request for request in finished.asked if "/webhooks/inbox/" in request.url]
    (delivery,) = looks[-1].response().json()["deliveries"]  # type: ignore[union-attr]
    assert len(delivery["body"].encode()) == report["webhook"]["report"]["bytes"]
    assert told[0]["mean_staleness"] < told[1]["mean_staleness"] < told[2]["mean_staleness"]


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


def test_asking_more_often_takes_more_requests(open_tab: Tabs, typing_url: str) -> None:
    ways = Ways(open_tab(typing_url))
    counts = []
    for seconds in (0.1, 5):
        ways.turn(seconds)
        ways.begin(64)
        ways.wait()
        counts.append(int(ways.read_rows()[1][1]))
    assert counts[0] >= 4
    assert counts[1] == 1


def test_the_dial_can_be_turned_while_the_model_writes(open_tab: Tabs, served: Served, engine: ScriptedEngine) -> None:
    ways = Ways(open_tab(served.url))
    ways.turn(5)
    ways.begin()
    ticket = engine.wait_for_ticket()
    ticket.start()
    ticket.write("One ")
    expect(ways.find("streamed-text")).to_have_text("One")
    assert ways.count(r"\?since=\d+") == 0
    ways.turn(0.1)
    expect(ways.find("polling-text")).to_have_text("One", timeout=3000)
    assert ways.find("webhook-text").text_content() == ""
    ticket.write_last("two", "length")
    ways.wait()
    assert ways.find("webhook-text").text_content() == "One two"


def test_the_inbox_is_looked_into_only_after_the_end(open_tab: Tabs, served: Served, engine: ScriptedEngine) -> None:
    ways = Ways(open_tab(served.url))
    ways.turn(0.1)
    ways.begin()
    ticket = engine.wait_for_ticket()
    ticket.start()
    ticket.write("One ")
    expect(ways.find("polling-text")).to_have_text("One")
    assert not [request for request in ways.asked if "/inbox/" in request.url]
    ticket.write_last("two", "length")
    ways.wait()
    assert [request for request in ways.asked if "/inbox/" in request.url]


def test_stop_ends_the_work_and_all_readers_and_one_can_ask_again(
    open_tab: Tabs, served: Served, engine: ScriptedEngine
) -> None:
    ways = Ways(open_tab(served.url))
    ways.turn(0.1)
    ways.begin()
    ticket = engine.wait_for_ticket()
    cancelled = watch_cancel(ticket)
    ticket.start()
    ticket.write("One ")
    expect(ways.find("streamed-text")).to_have_text("One")
    ways.find("stop").click()
    expect(ways.find("status")).to_have_text("Stopped.")
    assert cancelled.wait(10)
    expect(ways.find("begin")).to_be_enabled()
    expect(ways.find("results")).to_be_hidden()
    ways.begin()
    again = engine.wait_for_ticket(2)
    again.start()
    again.write_last("two", "length")
    ways.wait()
    assert ways.find("streamed-text").text_content() == "two"


def test_a_page_that_is_left_ends_the_work(open_tab: Tabs, served: Served, engine: ScriptedEngine) -> None:
    tab = open_tab(served.url)
    ways = Ways(tab)
    ways.begin()
    ticket = engine.wait_for_ticket()
    ticket.start()
    ticket.write("One ")
    expect(ways.find("streamed-text")).to_have_text("One")
    tab.page.goto("about:blank")
    assert ticket.stopped.wait(10)
    tab.complaints.clear()  # Gradio's own, of the connection that it held open


def test_what_goes_wrong_is_one_sentence(open_tab: Tabs, served: Served, engine: ScriptedEngine) -> None:
    ways = Ways(open_tab(served.url))
    ways.begin()
    ticket = engine.wait_for_ticket()
    ticket.start()
    ticket.write("One ")
    expect(ways.find("streamed-text")).to_have_text("One")
    ticket.fail(EngineFailed("Request failed during generation: it broke."))
    expect(ways.find("status")).to_have_text("Request failed during generation: it broke.")
    expect(ways.find("begin")).to_be_enabled()


def test_a_stream_that_is_refused_says_why(open_tab: Tabs, served: Served, engine: ScriptedEngine) -> None:
    tab = open_tab(served.url)
    ways = Ways(tab)
    ways.turn(5)
    ways.begin()
    engine.wait_for_ticket().fail(EngineFailed("Request failed during generation: it broke."))
    expect(ways.find("status")).to_have_text("Request failed during generation: it broke.")
    assert tab.complaints
    assert all("424" in complaint for complaint in tab.complaints)
    tab.complaints.clear()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_after_a_run_axe_finds_nothing_and_nothing_scrolls_sideways(
    open_tab: Tabs, typing_url: str, theme: str
) -> None:
    ways = Ways(open_tab(typing_url, theme=theme))
    ways.begin()
    ways.wait()
    assert ways.tab.find_violations("#station-ways") == []


def test_the_embedded_model_can_be_read_three_ways(open_tab: Tabs, app_url: str) -> None:
    while httpx.get(f"{app_url}/health", trust_env=False).status_code != 200:
        pass  # recordings stand in on the page while the model loads
    ways = Ways(open_tab(app_url))
    ways.turn(0.5)
    ways.begin(128)
    ways.wait()
    texts = {ways.find(f"{way}-text").text_content() for way in WAYS}
    assert len(texts) == 1
    assert texts.pop()
    stream, polling, webhook = ways.read_rows()
    assert (stream[1], webhook[1]) == ("1", "1")
    assert int(polling[1]) > 1
