"""The events of a load test, with its clock: seconds since it began, by this process's clock, which is the engine's."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

from typing_extensions import Unpack

from demo.api.openapi.reports import CrowdEvent, CrowdEventFields, CrowdEventName, CrowdRefusal


class EventLog:
    """Begins on construction. Written by the clients, followed by the response."""

    def __init__(self) -> None:
        self.refusal: CrowdRefusal | None = None  # the first one, as it was received
        self.ended = False
        self._began = time.perf_counter()
        self._events: list[CrowdEvent] = []
        self._news = asyncio.Event()

    def since_start(self, moment: float) -> float:
        """A time of the clock, in seconds since the load test began."""
        return round(moment - self._began, 6)

    def now(self) -> float:
        return self.since_start(time.perf_counter())

    def record(self, event: CrowdEventName, at: float, **more: Unpack[CrowdEventFields]) -> None:
        self._events.append({"event": event, "at": at, **more})
        self._news.set()

    def end(self) -> None:
        """No event follows."""
        self.ended = True
        self._news.set()

    async def follow(self, silence: float) -> AsyncIterator[Sequence[CrowdEvent]]:
        """The events as they happen, to the end; an empty batch after `silence` seconds without one."""
        position = 0
        while position < len(self._events) or not self.ended:
            if position == len(self._events):
                self._news.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(silence):
                        await self._news.wait()
            batch = self._events[position:]
            position += len(batch)
            yield batch
