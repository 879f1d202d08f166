"""The page behind a proxy, at the root of a host and below a path; and what it says when its connection is cut."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser, expect

from demo.settings import Settings
from tests.api.client import read_events
from tests.api.jobs.test_event_stream import read_numbered
from tests.browser.conftest import WORDS
from tests.browser.nginx import run_nginx
from tests.browser.race import start_race
from tests.browser.serving import serve
from tests.browser.tab import Tab, Tabs
from tests.clients.snippets import find_snippet
from tests.comparison.systems.process import start_server
from tests.scripted import ScriptedEngine, TypingEngine

SAID_WITHIN = 3.0  # seconds after a connection was cut
LOST = "Connection lost: what came so far stays."
PROGRAM = ("Listening on", "-m", "tests.browser.typing_app")


@pytest.fixture(scope="module", params=["root", "sub-path"])
def shown_at(
    request: pytest.FixtureRequest, browser: Browser, typing_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Where a proxy shows the page, under another name than the server has."""
    with run_nginx(tmp_path_factory.mktemp("nginx"), request.param, typing_url) as nginx:
        yield nginx.url.replace("127.0.0.1", "localhost") + {"root": "", "sub-path": "/demo"}[request.param]


def test_the_page_streams_and_asks_below_its_own_address_only(open_tab: Tabs, shown_at: str) -> None:
    tab = open_tab(shown_at)
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url))
    tab.ask("Hello")
    tab.expect_both("done")
    assert tab.has_led
    assert tab.read("whole-text").split() == "".join(WORDS).split()
    tab.find("station-call").scroll_into_view_if_needed()
    tab.find("call-tab-curl").click()
    assert tab.find("call-text").text_content() == find_snippet("curl", shown_at).text
    tab.find("call-run").click()
    expect(tab.find("call-status")).to_have_text("Done.")
    assert [url for url in asked if not url.startswith((f"{shown_at}/", "data:", "blob:"))] == []


def test_what_the_document_of_the_api_loads_is_there(shown_at: str) -> None:
    document = httpx2.get(f"{shown_at}/docs").text
    addresses = re.findall(r"""(?:href|src|url)\W+["'](/[^"']+)["']""", document)
    assert len(addresses) >= 4
    for address in addresses:
        assert httpx2.get(httpx2.URL(shown_at).join(address)).status_code == 200, address


def test_a_crowd_is_let_in(shown_at: str) -> None:
    reply = httpx2.post(f"{shown_at}/crowds", json={"clients": 2, "limit": 2, "max_new_tokens": 4})
    assert "x-accel-buffering" not in reply.headers  # it was for the proxy
    assert len(read_events(reply.content)) > 2


def test_a_stream_is_not_held_back(shown_at: str) -> None:
    body = {"inputs": "Hello", "parameters": {"max_new_tokens": 40}}
    with httpx2.stream("POST", f"{shown_at}/generate_stream", json=body) as response:
        times = [time.perf_counter() for line in response.iter_lines() if line]
    assert times[-1] - times[0] > 0.4  # of the 0.8 s that it takes to type


def test_a_job_and_its_inbox_are_found_where_they_are_said_to_be(shown_at: str) -> None:
    root = httpx2.URL(shown_at).path.rstrip("/")
    with httpx2.Client(base_url=shown_at) as client:
        asked = {"inputs": "Hello", "webhook_url": f"{root}/webhooks/inbox/proxied"}
        begun = client.post("/jobs", json=asked)
        assert begun.headers["Location"] == f"{root}/jobs/{begun.json()['id']}"
        job = httpx2.URL(shown_at).join(begun.headers["Location"])
        assert read_numbered(httpx2.get(f"{job}/events").content)[-1][1]["generated_text"] == "".join(WORDS[:100])
        while not client.get("/webhooks/inbox/proxied").json()["deliveries"]:
            assert httpx2.get(f"{job}/report").json()["webhook"]["state"] != "failed"


def test_huggingface_hub_posts_to_the_bare_path(shown_at: str) -> None:
    reply = httpx2.post(shown_at, json={"inputs": "Hello", "parameters": {"max_new_tokens": 2}})
    assert reply.json() == [{"generated_text": "word0 word1 "}]


def test_a_path_that_the_operator_sets_wins_over_the_proxys(open_tab: Tabs, tmp_path: Path) -> None:
    settings = Settings(port=0, root_path="/demo")
    with serve(TypingEngine(WORDS, 0), settings) as url, run_nginx(tmp_path, "root", url) as nginx:
        for place in (f"{nginx.url}/demo", nginx.url):
            location = httpx2.post(f"{place}/jobs", json={"inputs": "x"}, headers={"X-Forwarded-Prefix": "/no"})
            assert location.headers["Location"].startswith("/demo/jobs/")
        tab = open_tab(f"{nginx.url}/demo")
        tab.ask("Hello")
        tab.expect_both("done")
        open_tab.close()


def test_a_balancer_keeps_each_browser_at_one_of_two_processes(open_tab: Tabs, tmp_path: Path) -> None:
    one, two = (TypingEngine(WORDS, 0) for _ in range(2))
    with serve(one) as first, serve(two) as second, run_nginx(tmp_path, "balanced", first, second) as nginx:
        while not (one.tickets and two.tickets):  # a new client gets either
            with httpx2.Client(base_url=nginx.url) as client:
                location = client.post("/jobs", json={"inputs": "x"}).headers["Location"]
                assert [client.get(location).status_code for _ in range(8)] == [200] * 8
        tab = open_tab(nginx.url)
        tab.ask("Hello")
        tab.expect_both("done")
        open_tab.close()


# --- a connection that is cut ----------------------------------------------------------------------------------------


def expect_lost(tab: Tab, since: float) -> str:
    """The page says so in time, both clocks stand, and the text is there. Returns the text."""
    # Looks once a frame; an expectation looks twice a second.
    tab.page.wait_for_function("(lost) => document.getElementById('message').textContent === lost", arg=LOST)
    assert time.monotonic() - since < SAID_WITHIN
    clocks = [tab.read(f"{side}-clock") for side in ("streamed", "whole")]
    text = tab.read("streamed-text")
    assert text
    assert "stopped" not in tab.read("streamed-phase") + tab.read("whole-phase")
    tab.page.wait_for_timeout(400)  # longer than a clock's tick
    assert clocks == [tab.read(f"{side}-clock") for side in ("streamed", "whole")]
    tab.complaints.clear()  # the browser's own, of requests that failed
    return text


def test_a_proxy_that_dies_in_mid_answer_is_said_and_the_page_comes_back(
    open_tab: Tabs, url: str, engine: ScriptedEngine, tmp_path: Path
) -> None:
    with run_nginx(tmp_path, "root", url) as nginx:
        tab = open_tab(nginx.url)
        start_race(tab, engine, "One ", "two ")
        nginx.kill()
        text = expect_lost(tab, time.monotonic())
    with run_nginx(tmp_path, "root", url, port=httpx2.URL(nginx.url).port or 80):
        expect(tab.find("message")).to_contain_text("the server is back")
        assert tab.read("streamed-text") == text == "One two "
        tab.find("reload").click()
        expect(tab.prompt).to_have_value("Hello")
        tab.find("generate").click()
        engine.wait_for_ticket(2).start()
        tab.expect_phase("streamed", "reading the prompt")
        tab.complaints.clear()
        open_tab.close()


def test_a_server_that_is_silent_goes_on_where_it_was_and_one_that_ends_in_mid_answer_is_not_shown_as_stopped(
    open_tab: Tabs, tmp_path: Path
) -> None:
    with start_server(*PROGRAM, "0") as (process, url), run_nginx(tmp_path, "root", url) as nginx:
        tab = open_tab(nginx.url)
        tab.ask("Hello")
        tab.expect_some_text("streamed")
        process.pause()
        text = expect_lost(tab, time.monotonic())
        process.resume()
        expect(tab.find("message")).to_be_hidden()
        expect(tab.find("streamed-text")).not_to_have_text(text)
        assert tab.read("streamed-text").startswith(text)
        process.popen.kill()
        text = expect_lost(tab, time.monotonic())
        process.popen.wait()
        with start_server(*PROGRAM, str(httpx2.URL(url).port)) as (second, _):
            expect(tab.find("message")).to_contain_text("the server is back")
            assert tab.read("streamed-text") == text
            tab.find("reload").click()
            expect(tab.prompt).to_have_value("Hello")
            tab.ask("Again")
            tab.expect_some_text("streamed")
            second.popen.terminate()
            since = time.monotonic()
            expect(tab.find("streamed-note")).to_contain_text("The server is shutting down")
            tab.expect_both("failed")
            expect_lost(tab, since)
