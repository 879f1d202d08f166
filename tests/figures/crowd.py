"""Sixteen clients that generate at once, at the page or at the API: another client's TTFT meanwhile."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from statistics import median
from typing import Final

from demo.bench.client import Client
from tests.figures.figure import Figure, Round, summarise_rounds
from tests.figures.tab import open_tabs
from tests.figures.wire import TIMEOUT, count_running, start_app, wait_until, wait_until_idle

CROWD: Final = 16
PROBES: Final = 8
ROUNDS: Final = 3
ARGUMENTS: Final = ("--max-concurrent-requests", str(2 * CROWD))
QUESTION: Final = [{"role": "user", "content": "How do you make cheese?"}]
PROBE: Final = {"messages": QUESTION, "max_tokens": 8, "stream": True, "cache_prompt": False}
LONG: Final = {"max_new_tokens": 1000, "ignore_eos": True, "raw": True, "repetition_penalty": 1.1}
TEXT: Final = "Once upon a time, in a small village by the sea,"


def measure_crowd() -> list[Figure]:
    """TTFT of the API on an idle server, beside sixteen streams of the API, and beside sixteen tabs, in rounds."""
    with start_app(*ARGUMENTS) as (_, url):
        return summarise_rounds([_measure_round(url) for _ in range(ROUNDS + 1)][1:])


def _measure_round(url: str) -> Round:
    idle = _probe(url)
    with _open_streams(url):
        streams = _probe(url)
    with _open_tabs(url):
        tabs = _probe(url)
    return {
        ("crowd: the API's TTFT, idle server", "ms"): 1e3 * idle,
        (f"crowd: the same, {CROWD} streams of the API", "ms"): 1e3 * streams,
        (f"crowd: the same, {CROWD} tabs", "ms"): 1e3 * tabs,
        ("ratio: TTFT, tabs / streams", "x"): tabs / streams,
        ("ratio: TTFT, tabs / idle", "x"): tabs / idle,
    }


def _probe(url: str) -> float:
    """The median TTFT of some requests, by the client's clock."""
    ttfts = []
    for _ in range(PROBES):
        response = Client(url).post("/v1/chat/completions", PROBE)
        ttfts.append(response.reads[0][0] - response.sent)
        time.sleep(0.2)
    return median(ttfts)


@contextmanager
def _open_streams(url: str) -> Iterator[None]:
    """Streams of the API that run until the block ends."""
    connections = [http.client.HTTPConnection(url.removeprefix("http://")) for _ in range(CROWD)]
    threads = [threading.Thread(target=_read, args=(each,), daemon=True) for each in connections]
    for thread in threads:
        thread.start()
    wait_until(lambda: count_running(url) == CROWD, "sixteen streams have not begun")
    yield
    for connection, thread in zip(connections, threads, strict=True):
        if connection.sock is not None:
            connection.sock.shutdown(socket.SHUT_RDWR)
        thread.join()
    wait_until_idle(url)


def _read(connection: http.client.HTTPConnection) -> None:
    body = json.dumps({"inputs": TEXT, "parameters": LONG})
    connection.request("POST", "/generate_stream", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    with suppress(ConnectionResetError, http.client.IncompleteRead):  # the shutdown
        response.read()


@contextmanager
def _open_tabs(url: str) -> Iterator[None]:
    """Tabs that run the long example until the block ends."""
    with open_tabs(url, CROWD) as (portal, tabs):
        for tab in tabs:
            tab.values[tab.ids["example-pace"]] = 0
            portal.start_task_soon(tab.click, "example-run")
        wait_until(lambda: count_running(url) == CROWD, "sixteen tabs have not begun")
        yield
        for stopped in [portal.start_task_soon(tab.click, "stop", TIMEOUT) for tab in tabs]:
            assert not stopped.result().errors, "a tab that was stopped did not come to its end"
    wait_until_idle(url)
