"""Station 6: what is shown of a stream are the bytes that this server sends."""

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any, Final

import httpx2
import pytest
from playwright.sync_api import Browser, Locator, expect

from demo.engines.simulated_faults import BREAK, PAUSE_SECONDS, WORDS
from demo.errors import Overloaded
from tests.browser.race import begin
from tests.browser.tab import Tab, open_tabs, read_seconds
from tests.scripted import ScriptedEngine

PATHS: Final = {"native": "/generate_stream", "chat": "/v1/chat/completions"}
QUESTION: Final = 'What\'s a "token"?'


def show_station(tab: Tab) -> Tab:
    """The tab, with the station in view and its script there."""
    tab.find("station-events").scroll_into_view_if_needed()
    expect(tab.find("events-note")).not_to_be_empty()
    return tab


def rows(tab: Tab) -> Locator:
    return tab.page.locator("#events-wire li code")


def send(tab: Tab, kind: str, outcome: str = "Done:") -> None:
    """Send one request and wait for its end."""
    tab.find("events-kind").select_option(kind)
    if kind in PATHS:
        tab.find("events-question").fill(QUESTION)
    tab.find("events-send").click()
    expect(tab.find("events-status")).to_contain_text(outcome)


@pytest.fixture(scope="module")
def read_only(browser: Browser, typing_url: str) -> Iterator[Tab]:
    with open_tabs(browser) as open_tab:
        yield show_station(open_tab(typing_url))


@pytest.fixture(scope="module")
def sent(read_only: Tab, request: pytest.FixtureRequest) -> Tab:
    """A tab in which one request of the test's kind has come to its end, for tests that only read."""
    kind = request.param
    send(read_only, kind, "The stream broke off" if kind == "break" else "Done:")
    return read_only


def of_kinds(*kinds: str) -> pytest.MarkDecorator:
    """The test is run for each of these; pytest runs those of one kind together."""
    return pytest.mark.parametrize("sent", kinds, indirect=True, scope="module")


def fix(text: str) -> str:
    """A stream, but what differs from one time to the next."""
    text = re.sub(r'"id":"chatcmpl-[0-9a-f]+"', '"id":"1"', text)
    return re.sub(r'"created":\d+', '"created":1', re.sub(r'"timings":\{[^}]*\}', '"timings":{}', text))


def read_shown(tab: Tab) -> str:
    """The stream that the rows show; the empty line after each event is drawn as a sign."""
    return "".join(f"{text}\n\n" for text in rows(tab).all_text_contents())


def read_body(tab: Tab) -> Any:
    return json.loads(tab.page.locator("#events-request .body").inner_text())


@of_kinds(*PATHS)
def test_the_events_shown_are_the_bytes_that_the_api_sends(sent: Tab, typing_url: str) -> None:
    kind = sent.find("events-kind").input_value()
    told = httpx2.post(f"{typing_url}{PATHS[kind]}", json=read_body(sent)).text
    assert fix(read_shown(sent)) == fix(told)
    assert rows(sent).count() == {"native": 24, "chat": 26}[kind]  # 24 tokens; the usage and [DONE]
    length = len(read_shown(sent).encode())
    expect(sent.find("events-status")).to_contain_text(f"{rows(sent).count()} events, {length:,} bytes in ")


@of_kinds("native")
def test_the_request_and_the_headers_are_those_that_were_sent(sent: Tab, typing_url: str) -> None:
    host = typing_url.removeprefix("http://")
    for line in ("POST /generate_stream", f"Host: {host}", "Content-Type: application/json"):
        expect(sent.find("events-request")).to_contain_text(line)
    assert read_body(sent) == {"inputs": QUESTION, "parameters": {"max_new_tokens": 24, "details": True}}
    headers = httpx2.post(f"{typing_url}/generate_stream", json=read_body(sent)).headers
    for name in ("content-type", "cache-control", "x-accel-buffering"):
        expect(sent.find("events-response")).to_contain_text(f"{name}: {headers[name]}")
    expect(sent.find("events-response")).to_contain_text("200 OK")
    expect(sent.find("events-response")).to_contain_text("revalidate before reuse")
    expect(sent.find("events-response")).not_to_contain_text("content-encoding")


@of_kinds("native")
def test_every_event_has_its_time_and_the_times_never_fall(sent: Tab) -> None:
    times = [read_seconds(text) for text in sent.page.locator("#events-wire .when").all_inner_texts()]
    assert len(times) == 24
    assert times == sorted(times)
    assert times[-1] >= 24 * 0.02
    assert f"in {sent.page.locator('#events-wire .when').last.inner_text()}," in sent.read("events-status")


@of_kinds(*PATHS, "break")
def test_the_command_does_what_the_page_did(sent: Tab) -> None:
    if sent.find("events-copy").is_hidden():
        sent.page.get_by_text("The same request as a command").click()
    command = sent.copy("events-copy")
    assert command == sent.find("events-curl").text_content()
    assert command.startswith("curl -N ")
    told = subprocess.run(command, shell=True, capture_output=True, text=True, check=True, timeout=60).stdout
    assert fix(told) == fix(read_shown(sent))


def test_the_same_token_is_shown_in_both_dialects(typing_tab: Tab) -> None:
    tab = show_station(typing_tab)
    send(tab, "native")
    send(tab, "chat")
    expect(tab.find("events-same-native")).to_contain_text('"text":"word0 "')
    expect(tab.find("events-same-chat")).to_contain_text('"delta":{"role":"assistant","content":"word0 "}')
    tab.find("events-question").fill("Another")
    tab.find("events-send").click()
    expect(tab.find("events-same-native")).to_have_text("Send the same question to this route.")


@of_kinds("native")
def test_the_parts_of_an_event_are_told_apart(sent: Tab) -> None:
    last = rows(sent).last
    parts = {"index": '"index"24', "id": '"id"24', "text": '"text""word23 "', "logprob": '"logprob"-0.5'}
    for part, text in parts.items():
        assert "".join(last.locator(f".part-{part}").all_text_contents()).replace(":", "") == text
    assert '"finish_reason":"eos_token"' in "".join(last.locator(".part-end").all_text_contents())
    assert rows(sent).first.locator(".part-end").count() == 0


def test_a_pause_shows_the_comments_that_keep_it_alive(typing_tab: Tab) -> None:
    tab = show_station(typing_tab)
    send(tab, "pause")
    shown = rows(tab).all_text_contents()
    comments = [text for text in shown if text == ": keep-alive"]
    assert 2 <= len(comments) < PAUSE_SECONDS
    assert len(shown) == len(WORDS["pause"]) + len(comments)
    assert tab.page.locator("#events-wire .part-comment").count() == len(comments)
    expect(tab.find("events-note")).to_contain_text("Deliberate: a script, not the model")


@of_kinds("break")
def test_an_error_in_mid_stream_is_shown_as_its_last_event(sent: Tab) -> None:
    last = json.loads(rows(sent).all_text_contents()[-1].removeprefix("data: "))
    assert last == {"error": str(BREAK), "error_type": "generation"}
    expect(sent.find("events-response")).to_contain_text("200 OK")
    said = f"The stream broke off: {len(WORDS['break']) + 1} events.* says: {re.escape(str(BREAK))}"
    expect(sent.find("events-status")).to_contain_text(re.compile(said))


def test_stop_hangs_up_and_the_work_ends(tab: Tab, engine: ScriptedEngine) -> None:
    show_station(tab)
    tab.find("events-send").click()
    ticket = begin(engine, "One ")
    expect(rows(tab)).to_have_count(1)
    expect(tab.find("events-flow")).to_have_text("1 event, one way")
    tab.find("events-stop").click()
    assert ticket.stopped.wait(20)
    expect(tab.find("events-wire")).to_contain_text("You closed the connection")
    expect(tab.find("events-status")).to_have_text("Stopped.")


def test_a_refusal_is_a_true_status_and_one_sentence(tab: Tab, engine: ScriptedEngine) -> None:
    show_station(tab)
    engine.refusal = Overloaded("Model is overloaded: try again in a moment.")
    send(tab, "native", "Model is overloaded: try again in a moment.")
    expect(tab.find("events-response")).to_contain_text("429")
    tab.expect_complaint(429)


def test_new_events_are_followed_unless_the_reader_has_scrolled_up(typing_tab: Tab) -> None:
    tab = show_station(typing_tab)
    tab.find("events-kind").select_option("native")
    tab.find("events-tokens").fill("120")
    send(tab, "native")
    place = "(({scrollTop, scrollHeight, clientHeight}) => [scrollTop, scrollHeight - clientHeight - scrollTop])"
    _, below = tab.page.evaluate(f"{place}(document.querySelector('#events-wire'))")
    assert below < 5
    tab.find("events-send").click()
    expect(rows(tab).nth(25)).to_be_attached()
    tab.find("events-wire").evaluate("wire => { wire.scrollTop = 0; }")
    expect(tab.find("events-status")).to_contain_text("Done: 120 events")
    above, _ = tab.page.evaluate(f"{place}(document.querySelector('#events-wire'))")
    assert above == 0


def test_nobody_is_shut_out_of_it(typing_tab: Tab) -> None:
    tab = show_station(typing_tab)
    tab.find("events-tokens").fill("4")
    send(tab, "chat")
    send(tab, "native")
    send(tab, "break", "The stream broke off")
    assert tab.find_violations("#station-events") == []
    assert tab.page.locator("#station-events [role=status] ol, #station-events [aria-live] ol").count() == 0
