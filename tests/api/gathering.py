"""A crowd over real sockets: how to have one come, and how to read what is told of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import httpx2

from demo.events import Load, Log, Request, Ticket
from tests.api.client import parse
from tests.scripted import ScriptedEngine, TypingEngine

Event: TypeAlias = dict[str, Any]
WORDS = [f"word{index} " for index in range(64)]


class CountingEngine(TypingEngine):
    """Types, and knows how many it ever answered at once."""

    def __init__(self, pace: float, limit: int = 100) -> None:
        super().__init__(WORDS, pace)
        self._limit = limit
        self.most = 0

    @property
    def load(self) -> Load:
        return Load(super().load.running, waiting=0, limit=self._limit, stalled=0.0)

    def submit(self, request: Request, log: Log) -> Ticket:
        ticket = super().submit(request, log)
        self.most = max(self.most, self.load.running)
        return ticket


@contextmanager
def gather(url: str, **plan: Any) -> Iterator[Iterator[Event]]:
    """The events of a crowd, as they come; it goes home at the end of the block."""
    with httpx2.stream("POST", f"{url}/crowds", json=plan, timeout=60, trust_env=False) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield (parse(line.removeprefix("data: ")) for line in response.iter_lines() if line.startswith("data:"))


def run(url: str, **plan: Any) -> list[Event]:
    """All events of a crowd."""
    with gather(url, **plan) as events:
        return list(events)


def read_until(events: Iterator[Event], name: str, count: int) -> list[Event]:
    """What is told until `count` events of this name have come."""
    told: list[Event] = []
    for event in events:
        told.append(event)
        if sum(each["event"] == name for each in told) == count:
            return told
    raise AssertionError(f"no {count} of {name!r} in {told}")


def pick(events: list[Event], name: str) -> list[Event]:
    return [event for event in events if event["event"] == name]


def outcomes(events: list[Event]) -> dict[str, int]:
    """How many clients ended how, as the last event says."""
    assert events[-1]["event"] == "ended"
    said = [client["outcome"] for client in events[-1]["clients"]]
    return {outcome: said.count(outcome) for outcome in set(said)}


def answer_all(engine: ScriptedEngine) -> None:
    for ticket in engine.tickets:
        ticket.start()
        ticket.write("one ")
        ticket.write_last("two", "length")
