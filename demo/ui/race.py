"""Race: one run and the two sides that read it. Knows the core; nothing of components."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing, suppress

from demo.engine import Engine
from demo.errors import DemoError, NotReady, Overloaded
from demo.events import Done, Event, Failed, Token
from demo.request import Request
from demo.run import Reader, Run
from demo.trace import Trace
from demo.ui.view.panes import PaneView, Reading, complete_views, view_reading
from demo.ui.view.words import SIDES, Side

UPDATE_SECONDS = 0.1  # between two updates of a growing text: the browser paints each token when it is due

_numbers = itertools.count(1)


def take_number() -> int:
    """A number for a race, or for a page without one: larger than all before."""
    return next(_numbers)


class Race:
    """One run, read by two sides at once: streamed, token by token, and whole, at its end.

    Raises what `Engine.submit` raises. Both sides are attached before the first token, so both see all of it.
    `label` is shown with every view; `make_trace` turns the run into a trace when it has ended.
    """

    # Way 7: A race is one run with two readers, both attached before the first token
    def __init__(self, engine: Engine, request: Request, label: str, make_trace: Callable[[Run], Trace | None]) -> None:
        self.run = Run(engine, request)
        self.label, self.number = label, take_number()
        self._make_trace = make_trace
        self.ended = asyncio.Event()  # both sides have shown their last view
        self._readers: dict[Side, Reader] = {
            "streamed": self.run.attach(),
            "whole": self.run.attach(waits_for_end=True),
        }
        self._progress_reader = self.run.attach()
        self._progress_ended = asyncio.Event()
        self._detached: dict[Side, float] = {}
        self._last: dict[Side, Reading] = {}
        self._followed: set[str] = set()

    def follow(self, listener: str) -> bool:
        """Whether `listener` has not followed this race before: each may once."""
        first = listener not in self._followed
        self._followed.add(listener)
        return first

    async def find_refusal(self, seconds: float) -> DemoError | None:
        """The error of a run that was refused after it had been admitted; waits at most `seconds` for an event."""
        with closing(self.run.attach()) as reader, suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                async for first in reader:
                    error = first[0].error if isinstance(first[0], Failed) else None
                    return error if isinstance(error, Overloaded | NotReady) else None
        return None

    def detach(self, *sides: Side) -> None:
        """Stop these sides where they are; without any side the work stops. Harmless when the run has ended."""
        for side in sides:
            if side not in self._detached and not self.run.ended:
                self._detached[side] = time.perf_counter()
                self._readers[side].close()
                if len(self._detached) == len(SIDES):
                    self._progress_reader.close()

    # Way 16: The streamed side turns each batch into a view, ten times a second
    async def stream(self, choose_interval: Callable[[], float] = lambda: UPDATE_SECONDS) -> AsyncIterator[PaneView]:
        """The streamed side: its view again and again, as the text grows; the first text and the end at once.

        `choose_interval` returns the seconds until the next view.
        """
        reader, events = self._readers["streamed"], list[Event]()
        try:
            for view in self._view_queued("streamed"):
                yield view
            async for batch in reader:
                events.extend(batch)
                yield self._view("streamed", events)
                if any(isinstance(event, Token) for event in batch):
                    await reader.coalesce(choose_interval())
        finally:
            view = self._end("streamed", events)
        if "streamed" in self._detached:
            yield view

    async def wait(self) -> PaneView:
        """The whole side: its view once, when all of the text is there."""
        try:
            async for _ in self._readers["whole"]:
                pass
            await self._progress_ended.wait()  # its last view must not come after this one
        finally:
            view = self._end("whole", self.run.events)
        return view

    async def report_progress(self) -> AsyncIterator[PaneView]:
        """The whole side's view while it waits: its phase without any text, until the first token."""
        events: list[Event] = []
        try:
            for view in self._view_queued("whole"):
                yield view
            async for batch in self._progress_reader:
                events.extend(batch)
                yield self._view("whole", [event for event in events if not isinstance(event, Done | Failed)])
                if "whole" in self._detached or isinstance(events[-1], Token | Done | Failed):
                    break
        finally:
            self._progress_reader.close()
            self._progress_ended.set()

    @property
    def last_views(self) -> tuple[PaneView, PaneView]:
        """Streamed, whole: the last views of a race that has `ended`."""
        return complete_views(self._last["streamed"], self._last["whole"])

    @property
    def trace(self) -> Trace | None:
        """The trace of a race that has `ended`; None where its run was not completed."""
        return self._make_trace(self.run)

    def _view_queued(self, side: Side) -> Sequence[PaneView]:
        """The side's view while its run is queued: it replaces what Gradio may deliver late of an earlier race."""
        return [] if self.run.events else [self._view(side, ())]

    def _view(self, side: Side, events: Sequence[Event]) -> PaneView:
        return view_reading(self._read(side, events))

    def _read(self, side: Side, events: Sequence[Event]) -> Reading:
        run, detached = self.run, self._detached.get(side)
        return Reading(side, run.request, run.submitted, tuple(events), detached, self.label, self.number)

    def _end(self, side: Side, events: Sequence[Event]) -> PaneView:
        self.detach(side)
        self._last[side] = self._read(side, events)
        if len(self._last) == len(SIDES):
            self.ended.set()
        return view_reading(self._last[side])
