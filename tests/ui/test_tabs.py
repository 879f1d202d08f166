"""Open tabs: who gets a place, how long it is kept, what ends with it, and many tabs at once."""

import asyncio
import json
import time
import urllib.request
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest

from demo.shared_limit import SharedLimit
from demo.ui.tabs import MAX_EVENTS, Tabs
from tests.api.serving import connect, write_post
from tests.browser.serving import serve
from tests.figures.tab import Tab, open_tabs, read_config
from tests.figures.tabs import start_page
from tests.figures.wire import wait_until
from tests.scripted import ScriptedEngine

pytestmark = pytest.mark.anyio
UNREAD_SECONDS = 0.05
TABS = 20  # Gradio by itself runs the listeners of thirteen


@pytest.mark.parametrize("greedy", [1, 3])
def test_greedy_clients_leave_as_many_places_as_each_has(greedy: int) -> None:
    places = SharedLimit(120)
    for _ in range(200):
        for number in range(greedy):
            places.take(f"greedy {number}")
    share = 120 // (greedy + 1)
    assert places.taken == greedy * share
    assert sum(places.take(f"other {number}") for number in range(200)) == share
    assert places.is_full


async def test_a_session_that_nobody_reads_is_forgotten_and_its_work_cancelled() -> None:
    tabs, closed = Tabs(unread_seconds=UNREAD_SECONDS), list[str]()
    tabs.on_close = closed.append
    cancelled = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    assert tabs.admit("a", "client")
    assert tabs.start("a", work)
    await asyncio.wait_for(cancelled.wait(), 5)
    assert (closed, tabs.places.taken, "a" in tabs) == (["a"], 0, False)


async def test_a_session_that_is_read_stays_until_its_last_reader_leaves() -> None:
    tabs, closed = Tabs(unread_seconds=UNREAD_SECONDS), list[str]()
    tabs.on_close = closed.append
    tabs.admit("a", "client")
    with tabs.attach("a") as messages, tabs.attach("a"):
        await asyncio.sleep(3 * UNREAD_SECONDS)
        tabs.send("a", b"one ")
        tabs.send("a", b"two")
        assert await anext(messages) == b"one two"
    assert closed == ["a"]
    tabs.send("a", b"too late")


async def test_a_session_that_does_not_read_what_it_is_sent_is_forgotten() -> None:
    tabs = Tabs()
    tabs.admit("a", "client")
    with tabs.attach("a"):
        for _ in range(9):
            tabs.send("a", bytes(2**20))
        assert "a" not in tabs


async def test_one_session_runs_a_limited_number_of_listeners() -> None:
    tabs = Tabs()
    tabs.admit("a", "client")
    started = [tabs.start("a", asyncio.Event().wait) for _ in range(MAX_EVENTS + 1)]  # type: ignore[arg-type]
    assert started == [True] * MAX_EVENTS + [False]
    tabs.forget("a")


def ask(url: str, config: dict[str, Any], count: int, one_session: bool) -> list[int]:
    """The statuses of joins of the listener that runs as a page opens, whose events nobody reads."""
    listener = next(
        each for each in config["dependencies"] if each["queue"] and any(on == "load" for _, on in each["targets"])
    )
    statuses = []
    with closing(connect(url)) as connection, closing(connection.makefile("rb")) as replies:
        for number in range(count):
            session = "one" if one_session else f"session{number}"
            data = [""] * len(listener["inputs"])
            body = {"data": data, "fn_index": listener["id"], "session_hash": session}
            connection.sendall(write_post("/gradio_api/queue/join", json.dumps(body).encode()))
            statuses.append(int(replies.readline().split()[1]))
            length = 0
            while line := replies.readline().strip().lower():
                length = int(line.partition(b":")[2]) if line.startswith(b"content-length") else length
            replies.read(length)
    return statuses


def count_tabs(url: str) -> int:
    with urllib.request.urlopen(f"{url}/health") as reply:
        return int(json.load(reply)["tabs"])


async def race(tab: Tab) -> None:
    await tab.open()
    marks = await tab.click("generate", 20)
    assert marks.errors == []
    assert marks.text is not None
    assert marks.whole is not None
    await tab.close()


@pytest.mark.parametrize("one_session", [False, True])
async def test_two_thousand_joins_that_nobody_reads_keep_nobody_out(one_session: bool) -> None:
    with start_page(40, 2.0) as (_, url):
        port, config = urlsplit(url).port or 0, read_config(url)
        statuses = await asyncio.to_thread(ask, url, config, 2000, one_session)
        if not one_session:
            assert 20 <= statuses.count(200) < 200
            assert set(statuses) == {200, 503}
        other = Tab(port, config, "127.0.0.2")
        await asyncio.wait_for(race(other), 30)
        assert other.refusals == 0
        same = Tab(port, config)  # asks again until the others of its address are forgotten
        await asyncio.wait_for(race(same), 30)
        deadline = time.monotonic() + 20
        while await asyncio.to_thread(count_tabs, url):
            assert time.monotonic() < deadline, "a tab that nobody reads is still there"


def wait_for_text(tab: Tab, error: str) -> None:
    wait_until(lambda: tab.marks.text is not None, error, 20)


async def test_twenty_tabs_show_the_beginning_of_their_answers_before_any_of_them_ends() -> None:
    engine = ScriptedEngine()
    with serve(engine) as url, open_tabs(url, TABS) as (portal, tabs):
        clicks = []
        for number, tab in enumerate(tabs, start=1):
            tab.values[tab.ids["prompt"]] = "Hello"
            clicks.append(portal.start_task_soon(tab.click, "generate"))
            ticket = engine.wait_for_ticket(number)
            ticket.start()
            ticket.write("Hi")
            wait_for_text(tab, f"tab {number} waits for others to end")
        for ticket in engine.tickets:
            ticket.finish()
        assert [click.result().errors for click in clicks] == [[]] * TABS
