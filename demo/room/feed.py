"""The events of a room, each written once as bytes and read by every phone, from any number on.

One list, N cursors: an event costs its encoding once, and a reader no memory. Knows nothing of what the events say.
"""

import asyncio
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from demo.api.dialects import sse
from demo.room.phone import ARMS, Arm, Progress

Audience: TypeAlias = str | None  # "teacher", an arm, None for a phone without an arm, or one phone by its secret
PHONES: Final[tuple[Audience, ...]] = (*ARMS, None)
NO_ARMS: Final[Mapping[int, Arm]] = {}
EVERYBODY: Final[tuple[Audience, ...]] = ("teacher", *PHONES)


def share(payload: Mapping[str, Any], audiences: Sequence[Audience]) -> dict[Audience, Mapping[str, Any]]:
    """The same for all of them: it is encoded once."""
    return {audience: payload for audience in audiences}  # noqa: C420  # dict.fromkeys of a dict looks like a mistake


@dataclass(frozen=True, slots=True)
class Entry:
    """What happened at one moment, as each audience is told; an audience that is not in `frames` is told nothing.

    `arms` are those of its round, by the phones' numbers. With it a phone has `reached` so much of its answer.
    It is not for the phones in `without`.
    """

    frames: Mapping[Audience, bytes]
    arms: Mapping[int, Arm]
    reached: Progress | None = None
    without: Container[int] = ()


class Feed:
    """Bounded by its rounds: `forget` drops the oldest. Used from one event loop."""

    def __init__(self) -> None:
        self.last = 0  # the number of the last event
        self.beats = 0
        self._entries: list[Entry] = []
        self._first = 1  # the number of the first entry that is kept
        self._news: dict[Audience, asyncio.Event] = {}  # what the readers of each audience wait for
        self.is_ended = False

    def add(
        self,
        name: str,
        payloads: Mapping[Audience, Mapping[str, Any]],
        arms: Mapping[int, Arm] = NO_ARMS,
        reached: Progress | None = None,
        without: Container[int] = (),
    ) -> None:
        """Tell each audience of `payloads` its own, and wake its readers. Equal payloads are encoded once."""
        self.last += 1
        framed: dict[int, bytes] = {}
        for payload in payloads.values():
            if id(payload) not in framed:
                framed[id(payload)] = sse.frame_named(name, payload, self.last)
        frames = {audience: framed[id(payload)] for audience, payload in payloads.items()}
        self._entries.append(Entry(frames, arms, reached, without))
        is_for_one = any(audience not in EVERYBODY for audience in payloads)
        self._wake(EVERYBODY if is_for_one else payloads)

    def forget(self, until: int) -> None:
        """Drop the entries up to number `until`: a reader that has not read them gets the state instead."""
        del self._entries[: max(until - self._first + 1, 0)]
        self._first = max(until + 1, self._first)

    def has_after(self, number: int) -> bool:
        """Whether a reader that has event `number` can go on with what is kept."""
        return self._first - 1 <= number <= self.last

    def read(self, number: int) -> Sequence[Entry]:
        """The entries after event `number`."""
        return self._entries[number - self._first + 1 :]

    def beat(self) -> None:
        """Have every reader send a sign of life, if it has nothing else to send."""
        self.beats += 1
        self._wake()

    def end(self) -> None:
        """No event follows."""
        self.is_ended = True
        self._wake()

    async def wait(self, audience: Audience) -> None:
        """Until this audience or one phone is told something, or the feed ends."""
        await self._news.setdefault(audience, asyncio.Event()).wait()

    def _wake(self, audiences: Iterable[Audience] = EVERYBODY) -> None:
        for audience in audiences:
            if (news := self._news.pop(audience, None)) is not None:
                news.set()
