"""The API over loopback, in a process of its own: what HTTP adds, streamed against whole, and refusals under load."""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from itertools import pairwise
from statistics import median
from typing import Any, Final

from demo.bench.client import Client
from tests.comparison.systems.process import Process, start_server
from tests.figures.figure import Figure, summarise

PAIRS: Final = 40
LIMIT: Final = 4
REFUSALS: Final = 100
QUIET: Final = 3.0  # seconds of streams before the refusals
TIMEOUT: Final = 60.0  # seconds
BENCH_SECONDS: Final = 600.0
LONG: Final = {"inputs": "Once upon a time", "parameters": {"max_new_tokens": 1500, "ignore_eos": True}}


def measure_wire() -> list[Figure]:
    """All figures. Prints the benchmark's sentence about streamed against whole."""
    with start_app("--no-ui", "--max-concurrent-requests", str(LIMIT)) as (_, url):
        report = run_bench(url, PAIRS)
        print(report["sentence"])
        return [*read_bench(report), *measure_refusals(url)]


def start_app(*arguments: str) -> AbstractContextManager[tuple[Process, str]]:
    """A process of the app with the embedded model, ready, and its URL."""
    return start_server("\nReady", "app.py", "--port", "0", *arguments)


def wait_until(is_reached: Callable[[], bool], error: str, seconds: float = TIMEOUT, poll: float = 0.1) -> None:
    """Return once `is_reached`; fail with `error` where that takes longer than `seconds`."""
    end = time.perf_counter() + seconds
    while not is_reached():
        assert time.perf_counter() < end, error
        time.sleep(poll)


def count_running(url: str) -> int:
    """The number of requests that the server is answering."""
    with urllib.request.urlopen(f"{url}/metrics") as response:
        lines = response.read().decode().splitlines()
    return next(int(float(line.split()[1])) for line in lines if line.startswith("tgi_batch_current_size "))


def wait_until_idle(url: str) -> None:
    """Return once the server is answering no request."""
    wait_until(lambda: count_running(url) == 0, "a request is still being answered")


def run_bench(url: str, pairs: int, *options: str) -> dict[str, Any]:
    """The last line of `python -m demo.bench`."""
    command = [sys.executable, "-m", "demo.bench", url, "--pairs", str(pairs), *options]
    output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=BENCH_SECONDS).stdout
    report: dict[str, Any] = json.loads(output.splitlines()[-1])
    return report


def read_bench(report: dict[str, Any]) -> list[Figure]:
    rows = [
        ("wire: HTTP adds to TTFT (p5 to p95)", "ms", "http_adds", "streamed_ttft", 1e3),
        ("wire: HTTP adds to a stream's total (p5 to p95)", "%", "http_adds", "streamed_total_percent", 1.0),
        ("wire: streamed TTFT (p5 to p95)", "ms", "pairs", "streamed_ttft", 1e3),
        ("wire: streamed total (p5 to p95)", "ms", "pairs", "streamed_total", 1e3),
        ("wire: whole total (p5 to p95)", "ms", "pairs", "whole_total", 1e3),
    ]
    figures = [_read_spread(name, unit, report[part][key], factor) for name, unit, part, key, factor in rows]
    difference, pairs = report["difference_percent"], report["pairs"]["difference"]["n"]
    name = "wire: streamed - whole, mean (95 % interval)"
    return [*figures, Figure(name, "%", difference["mean"], difference["low"], difference["high"], pairs)]


def _read_spread(name: str, unit: str, spread: dict[str, Any], factor: float) -> Figure:
    middle, low, high = (factor * spread[each] for each in ("median", "p5", "p95"))
    return Figure(name, unit, middle, low, high, spread["n"])


def measure_refusals(url: str) -> list[Figure]:
    """At the limit: how soon a request is refused, and the rate of the running streams meanwhile."""
    with ThreadPoolExecutor(1) as thread:
        responses = thread.submit(Client(url).post_together, "/generate_stream", [LONG] * LIMIT)
        wait_until(lambda: count_running(url) == LIMIT, "the streams have not begun")
        time.sleep(QUIET)
        begin = time.perf_counter()
        refusals = _time_refusals(url)
        end = time.perf_counter()
        streams = [[read for read, _ in response.reads] for response in responses.result()]
    quiet, flooded = _list_gaps(streams, begin - QUIET, begin), _list_gaps(streams, begin, end)
    return [
        summarise("wire: until a request is refused at the limit", "ms", [1e3 * each for each in refusals]),
        summarise("ratio: pace of those running, refusing / quiet", "x", [median(quiet) / median(flooded)]),
    ]


def _time_refusals(url: str) -> list[float]:
    """The duration of each of `REFUSALS` requests, one every 20 ms."""
    took = []
    for _ in range(REFUSALS):
        response = Client(url).post("/generate", LONG)
        assert response.status == 429, response.status
        took.append(response.end - response.sent)
        time.sleep(0.02)
    return took


def _list_gaps(streams: list[list[float]], begin: float, end: float) -> list[float]:
    pairs = (pair for times in streams for pair in pairwise(times))
    return [later - earlier for earlier, later in pairs if begin <= earlier and later <= end]
