"""Concurrent streams over HTTP, served from this process: the rate beside the engine's alone, and event-loop lag."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi import FastAPI

from demo.bench.client import Client
from demo.metrics import percentile
from tests.api.serving import serve_api
from tests.figures.figure import Figure, summarise
from tests.figures.speed import NEW_TOKENS, PROMPT, ROUNDS, ROWS, open_engine, time_engine

CROWD: Final = 16
TICK: Final = 0.005


@dataclass(frozen=True, slots=True)
class Late:
    """How late a call of the event loop was, in milliseconds; `held`: without the waits of its thread for a core.

    What this process can help is `held`: the other part depends on what else the machine computes.
    """

    late: float
    held: float


class LoopLag:
    """The lag of an event loop: the delay of calls that are due every `TICK` seconds."""

    @asynccontextmanager
    async def watch(self, app: FastAPI) -> AsyncIterator[None]:
        """An application's lifespan, whose loop is measured."""
        self._loop, self._statistics = asyncio.get_running_loop(), Path("/proc/thread-self/schedstat").resolve()
        yield

    @contextmanager
    def record(self) -> Iterator[list[Late]]:
        """The lags during this block. Called from another thread."""
        self._lags: list[Late] | None = []
        self._loop.call_soon_threadsafe(self._schedule, self._lags)
        yield self._lags
        self._lags = None

    def _schedule(self, lags: list[Late]) -> None:
        due = self._loop.time() + TICK
        self._loop.call_at(due, self._append, lags, due, self._read_wait())

    def _append(self, lags: list[Late], due: float, waited: float) -> None:
        if lags is self._lags:
            late = 1e3 * (self._loop.time() - due)
            lags.append(Late(late, max(late - (self._read_wait() - waited), 0.0)))
            self._schedule(lags)

    def _read_wait(self) -> float:
        """Milliseconds for which the loop's thread has been ready to run, and another had its core."""
        return int(self._statistics.read_text().split()[1]) / 1e6


def measure_streams() -> list[Figure]:
    """The rate with and without HTTP, in rounds, and then the loop's lag while `CROWD` streams are written."""
    lag = LoopLag()
    with open_engine(CROWD) as engine, serve_api(engine, mount_page=lambda _: FastAPI(lifespan=lag.watch)) as url:
        prompt = engine.tokenize(PROMPT)[0]
        rounds = [(time_engine(engine, ROWS).rate, _listen(url, prompt, ROWS)) for _ in range(ROUNDS + 1)][1:]
        late = []
        for _ in range(ROUNDS):
            with lag.record() as lags:
                _listen(url, prompt, CROWD)
            late.append(lags)
    return [
        summarise(f"wire: {ROWS} streams over HTTP: tokens/s in all", "tokens/s", [http for _, http in rounds]),
        summarise(f"ratio: {ROWS} over HTTP / {ROWS} in process", "x", [http / alone for alone, http in rounds]),
        *(
            summarise(f"event loop beside {CROWD} streams: late by (p{q})", "ms", [find_late(each, q) for each in late])
            for q in (50, 99)
        ),
    ]


def find_late(lags: Sequence[Late], q: float) -> float:
    """The q-th percentile of how late the calls were."""
    return percentile([each.late for each in lags], q) or 0.0


def find_held(lags: Sequence[Late], q: float) -> float:
    """The same, without the waits for a core."""
    return percentile([each.held for each in lags], q) or 0.0


def _listen(url: str, prompt: str, streams: int) -> float:
    """The rate by a client in a process of its own."""
    body = {"inputs": prompt, "parameters": {"max_new_tokens": NEW_TOKENS, "ignore_eos": True, "cache_prompt": False}}
    request = Client(url).write_post("/generate_stream", body)
    command = [sys.executable, "-m", "tests.figures.listener", url.rpartition(":")[-1], str(streams)]
    events, seconds = subprocess.run(command, input=request, capture_output=True, check=True).stdout.split()
    assert int(events) == streams * NEW_TOKENS, events
    return int(events) / float(seconds)
