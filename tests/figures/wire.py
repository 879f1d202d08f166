"""The API over loopback, as its own process: what HTTP adds, streaming against whole, and refusals under load."""

import http.client
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from statistics import median
from typing import Any, Final

import httpx

from tests.figures.figure import Figure, summarise

PAIRS: Final = 40
LIMIT: Final = 4
REFUSALS: Final = 100
LONG: Final = {"inputs": "Once upon a time", "parameters": {"max_new_tokens": 1500, "ignore_eos": True}}


def measure_wire() -> list[Figure]:
    """Everything, and what the benchmark says of streaming against whole."""
    with start_api("--no-ui", "--max-concurrent-requests", str(LIMIT)) as url:
        report = run_bench(url)
        print(report["sentence"])
        return [*read_bench(report), *measure_refusals(url)]


@contextmanager
def start_api(*arguments: str) -> Iterator[str]:
    """The address of the app, ready."""
    command = [sys.executable, "app.py", "--port", "0", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if line.startswith("Ready"):
                break
        # Read on, or the process would wait for its log to be read.
        threading.Thread(target=process.stderr.read, daemon=True).start()
        found = re.search(r"Listening on (\S+)", said)
        assert found, said
        try:
            yield found[1]
        finally:
            process.terminate()


def run_bench(url: str) -> dict[str, Any]:
    """The last line of `python -m demo.bench`."""
    command = [sys.executable, "-m", "demo.bench", url, "--pairs", str(PAIRS)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    report: dict[str, Any] = json.loads(output.splitlines()[-1])
    return report


def read_bench(report: dict[str, Any]) -> list[Figure]:
    """The figures."""
    rows = [
        ("wire: HTTP adds to TTFT (p5 to p95)", "ms", "http_adds", "streamed_ttft", 1e3),
        ("wire: HTTP adds to a stream's total (p5 to p95)", "%", "http_adds", "streamed_total_percent", 1.0),
        ("wire: streamed TTFT (p5 to p95)", "ms", "pairs", "streamed_ttft", 1e3),
        ("wire: streamed total (p5 to p95)", "ms", "pairs", "streamed_total", 1e3),
        ("wire: whole total (p5 to p95)", "ms", "pairs", "whole_total", 1e3),
    ]
    figures = [_read_spread(name, unit, report[part][key], factor) for name, unit, part, key, factor in rows]
    difference, pairs = report["difference_percent"], report["conditions"]["pairs"]
    name = "wire: streamed - whole, mean (95 % interval)"
    return [*figures, Figure(name, "%", difference["mean"], difference["low"], difference["high"], pairs)]


def _read_spread(name: str, unit: str, spread: dict[str, Any], factor: float) -> Figure:
    middle, low, high = (factor * spread[each] for each in ("median", "p5", "p95"))
    return Figure(name, unit, middle, low, high, spread["n"])


def measure_refusals(url: str) -> list[Figure]:
    """At the limit: how soon a request is refused, and how the running ones keep their pace meanwhile."""
    arrivals: list[list[float]] = [[] for _ in range(LIMIT)]
    threads = [threading.Thread(target=_stream, args=(url, times)) for times in arrivals]
    for thread in threads:
        thread.start()
    while not all(arrivals):
        time.sleep(0.01)
    time.sleep(3)
    begin = time.perf_counter()
    refusals = _collect_refusals(url)
    end = time.perf_counter()
    for thread in threads:
        thread.join()
    quiet = [gap for times in arrivals for gap in _gaps(times, begin - 3, begin)]
    flooded = [gap for times in arrivals for gap in _gaps(times, begin, end)]
    return [
        summarise("wire: until a request is refused at the limit", "ms", [1e3 * each for each in refusals]),
        summarise("ratio: pace of those running, refusing / quiet", "x", [median(quiet) / median(flooded)]),
    ]


def _stream(url: str, arrivals: list[float]) -> None:
    with httpx.stream("POST", f"{url}/generate_stream", json=LONG, timeout=120, trust_env=False) as response:
        arrivals.extend(time.perf_counter() for line in response.iter_lines() if line.startswith("data:"))


def _collect_refusals(url: str) -> list[float]:
    """How long each of `REFUSALS` requests took, one every 20 ms, asked for as cheaply as Python can."""
    took = []
    client = http.client.HTTPConnection(url.removeprefix("http://"))
    body, headers = json.dumps(LONG), {"Content-Type": "application/json"}
    for _ in range(REFUSALS):
        begin = time.perf_counter()
        client.request("POST", "/generate", body, headers)
        response = client.getresponse()
        response.read()
        took.append(time.perf_counter() - begin)
        assert response.status == 429, response.status
        time.sleep(0.02)
    client.close()
    return took


def _gaps(times: list[float], begin: float, end: float) -> list[float]:
    return [later - earlier for earlier, later in pairwise(times) if begin <= earlier and later <= end]
