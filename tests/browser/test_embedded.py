"""The race and the stations as a visitor sees them, with the embedded model behind the real app."""

import json
from collections.abc import Iterator

import httpx2
import pytest
from playwright.sync_api import Browser, Response, expect

from tests.api.client import read_events
from tests.browser.chromium import PATIENCE
from tests.browser.conftest import SCRIPTED_PATIENCE
from tests.browser.kept_tab import KeptTab
from tests.browser.station import took
from tests.browser.tab import Tab, read_seconds
from tests.browser.test_call import read_table, show_station, show_tokens
from tests.browser.test_enough import Crowd, assert_rows_tell
from tests.browser.test_pairs import Pairs
from tests.browser.test_sweep import Sweep
from tests.browser.test_ways import WAYS, Ways
from tests.figures.wire import start_app

CHEESE = "How do you make cheese?"


@pytest.fixture(scope="module", autouse=True)
def _patience(browser: Browser) -> Iterator[None]:
    """What is expected of a model's answer may take longer; the browser has set the shorter limit."""
    expect.set_options(timeout=PATIENCE)
    yield
    expect.set_options(timeout=SCRIPTED_PATIENCE)


@pytest.fixture(scope="module")
def app_url() -> Iterator[str]:
    """The real app as its own process, its model loaded: until then recorded runs stand in."""
    # One thread: two workers' models share the cores.
    with start_app("--threads", "1") as (_, url):
        yield url


@pytest.fixture(scope="module")
def kept(browser: Browser, app_url: str) -> Iterator[KeptTab]:
    with KeptTab(browser, app_url) as kept:
        yield kept


@pytest.fixture
def tab(kept: KeptTab) -> Tab:
    """A tab of the app, as it was opened."""
    return kept.clear()


@pytest.fixture(scope="module")
def finished(kept: KeptTab) -> Tab:
    """A race that has come to its end, for the tests that come first and only read."""
    tab = kept.clear()
    tab.ask(CHEESE)
    tab.expect_both("done")
    return tab


def test_the_streaming_panel_has_text_while_the_other_has_none_and_both_end_with_the_same(finished: Tab) -> None:
    assert finished.has_led
    assert "cheese" in finished.read("streamed-text").lower()
    assert finished.read("streamed-text") == finished.read("whole-text")
    finished.expect_results(1)
    expect(finished.find("definitions")).to_contain_text(f"{finished.read('streamed-ttft')}: first visible text")


def test_streaming_shows_its_first_token_in_under_a_third_of_the_total(finished: Tab) -> None:
    total = read_seconds(finished.read("streamed-total"))
    assert read_seconds(finished.read("streamed-ttft")) < total / 3
    assert finished.read("whole-ttft") == finished.read("whole-total") == finished.read("streamed-total")
    assert finished.read("streamed-tokens") == finished.read("whole-tokens")


def test_a_second_message_goes_on_with_the_conversation(tab: Tab) -> None:
    tab.ask("Count to 10")
    tab.expect_both("done")
    first = tab.read("streamed-text")
    tab.find("keep").locator("input").check()
    tab.ask("Thank you!")
    tab.expect_both("done")
    tab.expect_results(2)
    for side in ("streamed", "whole"):
        past = tab.page.locator(f"#{side}-body .past").first
        expect(past).to_contain_text("Count to 10")
        expect(past).to_contain_text(first.splitlines()[0])


def test_stop_all_ends_the_run(tab: Tab) -> None:
    tab.ask(CHEESE)
    tab.expect_some_text("streamed")
    tab.find("stop").click()
    tab.expect_both("stopped")
    assert tab.read("streamed-text")
    assert tab.read("whole-text") == ""


def test_the_pairs_numbers_are_those_of_the_api_and_of_the_wire(tab: Tab) -> None:
    station = Pairs(tab)
    replies: list[Response] = []
    station.tab.page.on("response", lambda reply: replies.append(reply) if reply.request in station.asked else None)
    station.run()
    by_pair = list(zip(replies[2::2], replies[3::2], strict=True))
    assert len(by_pair) == 4
    for row, pair in zip(station.rows, by_pair, strict=True):
        stream, whole = sorted(pair, key=lambda reply: reply.url, reverse=True)
        assert (row[2], whole.headers["x-generated-tokens"]) == ("32", "32")
        assert row[6] == "equal"
        assert_holds(row[3], 1000 * took(stream.request))
        assert_holds(row[4], float(whole.headers["x-total-time"]))
    expect(station.find("texts")).to_have_text("The streamed and the whole text were equal in all 4 pairs.")


def test_the_sweeps_numbers_are_those_of_the_api(tab: Tab) -> None:
    sweep = Sweep(tab)
    replies: list[Response] = []
    sweep.tab.page.on("response", lambda reply: replies.append(reply) if reply.request in sweep.asked else None)
    sweep.begin()
    waited = sweep.tab.page.locator("#sweep-table tbody tr:nth-child(2) td").last
    expect(waited).to_contain_text("s")
    sweep.find("stop").click()
    sweep.wait()
    assert [row[0] for row in sweep.rows[:2]] == ["16", "32"]
    _, *streamed = [reply for reply in replies if reply.url.endswith("stream")]
    _, *whole = [reply for reply in replies if reply.url.endswith("generate")]
    for row, stream, reply in zip(sweep.rows[:2], streamed[:2], whole[:2], strict=True):
        details = json.loads(stream.text().split("data:")[-1])["details"]
        timings = details["timings"]
        assert details["generated_tokens"] == int(row[0]) == int(reply.headers["x-generated-tokens"])
        assert_holds(row[1], timings["time_to_first_token"])
        assert_holds(row[2], timings["total_time"])
        assert_holds(row[3], float(reply.headers["x-total-time"]))


def assert_holds(shown: str, milliseconds: float) -> None:
    """What the browser saw lasted as long as the engine's own, as far as it is shown, and little longer."""
    seconds = milliseconds / 1000
    assert seconds - 0.06 <= read_seconds(shown) <= 1.25 * seconds + 0.6, f"{shown} shown, the engine took {seconds} s"


def test_the_model_refuses_what_is_beyond_the_limit(tab: Tab) -> None:
    station = Crowd(tab)
    station.turn("clients", 5)
    station.turn("limit", 2)
    ended = station.click("once")
    assert [visit["outcome"] for visit in ended["clients"]].count("served") == 2
    expect(station.verdict("once")).to_contain_text("2 of 5 were served at once, 3 got 429 overloaded")
    assert {visit["tokens"] for visit in ended["clients"]} == {0, 16}
    assert_rows_tell(station.read_rows("result-once"), ended["clients"])
    ended = station.click("patient")
    expect(station.verdict("patient")).to_contain_text("With retries all 5 were served")
    assert_rows_tell(station.read_rows("result-patient"), ended["clients"])


def test_the_model_can_be_read_three_ways(tab: Tab) -> None:
    ways = Ways(tab)
    ways.choose("0.25")
    ways.begin()
    ways.wait()
    texts = {ways.find(f"{way}-text").text_content() for way in WAYS}
    assert len(texts) == 1
    assert texts.pop()
    stream, polling, webhook = ways.read_rows("table")
    assert (stream[1], webhook[1]) == ("1", "1")
    assert int(polling[1]) > 5


def test_the_strip_tells_what_the_api_tells_of_the_model(tab: Tab, app_url: str) -> None:
    show_station(tab)
    question = "What is 1 + 1? One word."
    show_tokens(tab, question, 32)
    messages = [{"role": "user", "content": question}]
    inputs = httpx2.post(f"{app_url}/chat_tokenize", json={"messages": messages}).json()["templated_text"]
    parameters = {"max_new_tokens": 32, "details": True, "top_n_tokens": 5}
    told = httpx2.post(f"{app_url}/generate_stream", json={"inputs": inputs, "parameters": parameters}, timeout=120)
    events = read_events(told.content)
    strip = tab.page.locator("#heat-strip [role=option]")
    texts = strip.evaluate_all("options => options.map((option) => option.dataset.text)")
    logprobs = strip.evaluate_all("options => options.map((option) => Number(option.dataset.logprob))")
    assert "".join(texts) == events[-1]["generated_text"]
    assert logprobs == [event["token"]["logprob"] for event in events]
    shown = [(row[1], row[3], row[5]) for row in read_table(tab)]
    tokens = [event["token"] for event in events]
    assert shown == [(str(each["id"]), f"{each['logprob']:.4f}", "yes" if each["special"] else "no") for each in tokens]
    assert f"finish reason: {events[-1]['details']['finish_reason']}" in tab.read("heat-status")
    least = min(range(len(tokens)), key=lambda index: tokens[index]["logprob"])
    facts = tab.page.locator("#heat-facts dd").all_inner_texts()
    assert facts[0] == str(least + 1)
    others = tab.page.locator("#heat-facts li code").all_text_contents()
    assert others == [
        each["text"] if each["special"] else json.dumps(each["text"], ensure_ascii=False)
        for each in events[least]["top_tokens"]
    ]
