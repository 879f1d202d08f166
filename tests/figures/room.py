"""Two hundred phones in a room: how fast they join, how late a token is, and what they cost the engine's pace.

    python -m tests.figures.room [PHONES]

A token's lateness is its arrival at a phone, in another process, minus the moment at which the engine stamped it: one
clock. The engine's pace beside the room is compared with the same run alone, in turns.
"""

import json
import subprocess
import sys
import threading
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import httpx2

from demo.engine import Engine, Log, Ticket
from demo.engines.wrapper import EngineWrapper, LogWrapper
from demo.events import Event, Token
from demo.metrics import percentile
from demo.request import Request
from demo.run import Run
from tests.api.serving import serve_api
from tests.figures.figure import Figure, Round, summarise_rounds
from tests.figures.probes import wait_for_end
from tests.figures.room_phones import Report
from tests.figures.speed import open_engine
from tests.scripted import TypingEngine

PHONES: Final = 200
TOKENS: Final = 256
ROUNDS: Final = 10
WORDS: Final = [f"word{number} " for number in range(TOKENS)]
GAP: Final = 0.004  # seconds between two tokens of the scripted engine


@dataclass(frozen=True, slots=True)
class Measured:
    """One race: seconds in which all joined, every token's lateness in seconds, tokens/s of the run in the room."""

    joining: float
    lateness: list[float]
    rate: float


class StampingEngine(EngineWrapper):
    """Keeps the tokens of its last run, and its request."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.tokens: list[Token] = []
        self.request: Request | None = None

    def submit_all(self, requests: Sequence[Request], logs: Sequence[Log]) -> Sequence[Ticket]:
        self.tokens, self.request = [], requests[0]
        return super().submit_all(requests, [_Stamps(log, self.tokens) for log in logs])


class _Stamps(LogWrapper):
    def __init__(self, log: Log, tokens: list[Token]) -> None:
        super().__init__(log)
        self._tokens = tokens

    def observe(self, events: Sequence[Event]) -> None:
        self._tokens += [event for event in events if isinstance(event, Token)]


class _Kept(EngineWrapper):
    """The engine, which the server's end does not close."""

    def close(self) -> None:
        pass


def measure_room(phones: int = PHONES) -> Iterator[Figure]:
    """With a scripted engine that is fast, then with the embedded model, at its own speed and slowed to 30 tokens/s."""
    yield from _measure("scripted, 250 tokens/s", TypingEngine(WORDS, GAP), phones)
    with open_engine() as engine:
        yield from _measure("model", engine, phones)
        yield from _measure("model at 30 tokens/s", engine, phones, tokens_per_second=30.0, max_new_tokens=128)


def _measure(name: str, engine: Engine, phones: int, **asked: Any) -> list[Figure]:
    rounds = [_measure_round(name, engine, phones, asked) for _ in range(ROUNDS + 1)]
    return summarise_rounds(rounds[1:])


def _measure_round(name: str, engine: Engine, phones: int, asked: Mapping[str, Any]) -> Round:
    stamping = StampingEngine(engine)
    measured = race(stamping, phones, asked)
    assert stamping.request is not None, "no run was asked for"
    alone = measure_alone(engine, replace(stamping.request, client=None))
    return {
        (f"room: {name}: {phones} phones have joined after", "s"): measured.joining,
        (f"room: {name}: lateness, streamed arm, median", "ms"): 1e3 * (percentile(measured.lateness, 50) or 0),
        (f"room: {name}: lateness, streamed arm, p95", "ms"): 1e3 * (percentile(measured.lateness, 95) or 0),
        (f"room: {name}: tokens/s in the room", "tokens/s"): measured.rate,
        (f"ratio: {name}: pace in the room / alone", "x"): measured.rate / alone,
    }


def race(engine: StampingEngine, phones: int, asked: Mapping[str, Any]) -> Measured:
    """One race of a room over real sockets. Every phone must receive every token, the whole arm in one message."""
    with serve_api(_Kept(engine)) as url, httpx2.Client(base_url=url, trust_env=False) as teacher:
        room = teacher.post("/rooms", json={}).json()
        path, key = f"/rooms/{room['code']}", {"X-Room-Key": room["key"]}
        program = [sys.executable, "-m", "tests.figures.room_phones"]
        command = [*program, url.rpartition(":")[-1], room["code"], str(phones)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as clients, _project(url, path, key):
            assert clients.stdout is not None
            joining = float(clients.stdout.readline().split()[1])
            body = {"kind": "race", "max_new_tokens": TOKENS, **asked}
            teacher.post(f"{path}/rounds", json=body, headers=key).raise_for_status()
            reports: list[Report] = json.loads(clients.stdout.readline())
            teacher.delete(path, headers=key)
    check_complete(reports, engine.tokens, phones)
    return Measured(joining, list(list_lateness(reports, engine.tokens)), measure_rate(engine.tokens))


def check_complete(reports: Sequence[Report], tokens: Sequence[Token], phones: int) -> None:
    """Both arms have as many phones; all have the whole text; the whole arm had it in one message."""
    text = "".join(token.text for token in tokens)
    arms = [report["arm"] for report in reports]
    assert len(arms) == phones
    assert abs(arms.count("streamed") - arms.count("whole")) <= 1, arms
    assert [report["text"] for report in reports] == [text] * phones, "a phone has another text"
    assert all(report["arrivals"][-1][1] == len(tokens) for report in reports), "a phone has not been sent all tokens"
    assert {len(report["arrivals"]) for report in reports if report["arm"] == "whole"} == {1}


def list_lateness(reports: Sequence[Report], tokens: Sequence[Token]) -> Iterator[float]:
    """For each phone of the streamed arm and each token: from the engine's stamp to its arrival, in seconds."""
    for report in reports:
        if report["arm"] == "streamed":
            counts = [count for _, count in report["arrivals"]]
            for token in tokens:
                yield report["arrivals"][bisect_left(counts, token.index)][0] - token.time


def measure_rate(tokens: Sequence[Token]) -> float:
    """Decode tokens/s: n tokens have n - 1 gaps."""
    return (len(tokens) - 1) / (tokens[-1].time - tokens[0].time)


def measure_alone(engine: Engine, request: Request) -> float:
    run = Run(engine, request)
    wait_for_end(run)
    return measure_rate([event for event in run.events if isinstance(event, Token)])


@contextmanager
def _project(url: str, path: str, key: Mapping[str, str]) -> Iterator[None]:
    """A projector that reads the room's events until they end."""

    def read() -> None:
        with httpx2.stream("GET", f"{url}{path}/events", headers=dict(key), timeout=None, trust_env=False) as events:
            for _ in events.iter_raw():
                pass

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    yield
    thread.join(20)


if __name__ == "__main__":
    for figure in measure_room(*map(int, sys.argv[1:])):
        print(figure, flush=True)
