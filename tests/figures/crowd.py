"""Sixteen who generate at once, at the page or at the API: how long somebody else's first token takes meanwhile."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from statistics import median
from typing import Final

from tests.figures.figure import Figure, summarise
from tests.figures.tab import JSON, Tab
from tests.figures.wire import start_api

CROWD: Final = 16
PROBES: Final = 8
ROUNDS: Final = 3
PATIENCE: Final = 60.0  # seconds
ARGUMENTS: Final = ("--max-concurrent-requests", str(2 * CROWD))
QUESTION: Final = [{"role": "user", "content": "How do you make cheese?"}]
PROBE: Final = {"messages": QUESTION, "max_tokens": 8, "stream": True, "cache_prompt": False}
LONG: Final = {"max_new_tokens": 1000, "ignore_eos": True, "raw": True, "repetition_penalty": 1.1}
TEXT: Final = "Once upon a time, in a small village by the sea,"


def measure_crowd() -> list[Figure]:
    """TTFT of the API while nobody, sixteen streams of the API, and sixteen tabs of the page generate, in turns."""
    with start_api(*ARGUMENTS) as url:
        rounds = [_measure_round(url) for _ in range(ROUNDS + 1)][1:]
    idle, streams, tabs = zip(*rounds, strict=True)
    return [
        summarise("crowd: the API's TTFT, nobody else there", "ms", [1e3 * each for each in idle]),
        summarise(f"crowd: the same, {CROWD} streams of the API", "ms", [1e3 * each for each in streams]),
        summarise(f"crowd: the same, {CROWD} tabs", "ms", [1e3 * each for each in tabs]),
        summarise("ratio: TTFT, tabs / streams", "x", [tab / stream for _, stream, tab in rounds]),
        summarise("ratio: TTFT, tabs / nobody", "x", [tab / alone for alone, _, tab in rounds]),
    ]


def _measure_round(url: str) -> tuple[float, float, float]:
    alone = _probe(url)
    with _stream(url):
        streams = _probe(url)
    with _open_tabs(url):
        return alone, streams, _probe(url)


def _probe(url: str) -> float:
    """The median of some requests' time to the first token, by the client's clock."""
    took = []
    for _ in range(PROBES):
        connection = http.client.HTTPConnection(url.removeprefix("http://"))
        begin = time.perf_counter()
        connection.request("POST", "/v1/chat/completions", json.dumps(PROBE), JSON)
        response = connection.getresponse()
        response.readline()
        took.append(time.perf_counter() - begin)
        response.read()
        connection.close()
        time.sleep(0.2)
    return median(took)


@contextmanager
def _stream(url: str) -> Iterator[None]:
    """Streams that have begun and go on until the block ends."""
    connections = [http.client.HTTPConnection(url.removeprefix("http://")) for _ in range(CROWD)]
    begun = threading.Semaphore(0)
    threads = [threading.Thread(target=_read, args=(each, begun), daemon=True) for each in connections]
    for thread in threads:
        thread.start()
    for _ in threads:
        begun.acquire()
    yield
    for connection in connections:
        if connection.sock is not None:
            connection.sock.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join()
    _wait_until_free(url)


def _read(connection: http.client.HTTPConnection, begun: threading.Semaphore) -> None:
    connection.request("POST", "/generate_stream", json.dumps({"inputs": TEXT, "parameters": LONG}), JSON)
    response = connection.getresponse()
    begun.release()
    with suppress(ConnectionResetError):  # which is how it ends
        while response.readline():
            pass


@contextmanager
def _open_tabs(url: str) -> Iterator[None]:
    """Tabs in which the long example has begun and goes on until the block ends."""
    tabs = [Tab(url) for _ in range(CROWD)]
    for tab in tabs:
        tab.values[tab.ids["example-pace"]] = 0
        tab.click("example-run")
    _wait_until(lambda: _count_running(url) == CROWD, "sixteen tabs have not begun")
    yield
    for tab in tabs:
        tab.click("stop")
    for tab in tabs:
        assert tab.idle.wait(PATIENCE), "a tab that was stopped did not come to its end"
        tab.close()
    _wait_until_free(url)


def _wait_until_free(url: str) -> None:
    _wait_until(lambda: _count_running(url) == 0, "somebody is still being answered")


def _wait_until(reached: Callable[[], bool], otherwise: str) -> None:
    end = time.perf_counter() + PATIENCE
    while not reached():
        assert time.perf_counter() < end, otherwise
        time.sleep(0.1)


def _count_running(url: str) -> int:
    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    connection.request("GET", "/metrics")
    for line in connection.getresponse().read().decode().splitlines():
        if line.startswith("tgi_batch_current_size "):
            return int(float(line.split()[1]))
    raise AssertionError("no tgi_batch_current_size")
