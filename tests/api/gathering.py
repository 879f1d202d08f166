"""A load test over real sockets: how to run one, and how to read its events."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import httpx2

from demo.engine import Load, Log, Ticket
from demo.request import Request
from tests.api.client import parse
from tests.scripted import ScriptedTicket, TypingEngine

Event: TypeAlias = dict[str, Any]
WORDS = [f"word{index} " for index in range(64)]


class CountingEngine(TypingEngine):
    """Counts the most requests that it answered at once."""

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
def gather(url: str, headers: dict[str, str] | None = None, **plan: Any) -> Iterator[Iterator[Event]]:
    """The events of a load test, as they come; the end of the block disconnects."""
    with httpx2.stream("POST", f"{url}/crowds", json=plan, headers=headers, timeout=60, trust_env=False) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield (parse(line.removeprefix("data: ")) for line in response.iter_lines() if line.startswith("data:"))


def run(url: str, **plan: Any) -> list[Event]:
    with gather(url, **plan) as events:
        return list(events)


def read_until(events: Iterator[Event], name: str, count: int) -> list[Event]:
    """The events until `count` events of this name have come."""
    seen: list[Event] = []
    for event in events:
        seen.append(event)
        if sum(each["event"] == name for each in seen) == count:
            return seen
    raise AssertionError(f"no {count} of {name!r} in {seen}")


def pick(events: list[Event], name: str) -> list[Event]:
    return [event for event in events if event["event"] == name]


def outcomes(events: list[Event]) -> dict[str, int]:
    """How many clients had each outcome, from the last event."""
    assert events[-1]["event"] == "ended"
    ended = [client["outcome"] for client in events[-1]["clients"]]
    return {outcome: ended.count(outcome) for outcome in set(ended)}


def answer_all(tickets: list[ScriptedTicket]) -> None:
    for ticket in tickets:
        ticket.start_with("one ")
        ticket.write_last("two", "length")
