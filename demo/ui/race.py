"""Race: one run and the two sides that read it. Knows the core; nothing of components."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Sequence

from demo.events import Done, Engine, Event, Failed, Request, Token
from demo.run import Reader, Run
from demo.ui.view.panes import PaneView, Reading, settle_views, view_reading
from demo.ui.view.words import SIDES, Side

UPDATE_SECONDS = 0.1  # between two batches of a growing text: the browser paints each token when it is due

_numbers = itertools.count(1)


def take_number() -> int:
    """A race's, or that of a page without one: larger than all before."""
    return next(_numbers)


class Race:
    """One generation, read twice at once: streamed, token by token, and whole, at its end.

    Raises what `Engine.submit` raises. Both sides are attached before the first token, so both see all of it.
    `label` is shown with every view.
    """

    # Way 7: A race is one run with two readers, both attached before the first token
    def __init__(self, engine: Engine, request: Request, label: str = "") -> None:
        self.run = Run(engine, request)
        self.label = label
        self.number = take_number()
        self.over = asyncio.Event()
        self._readers: dict[Side, Reader] = {
            "streamed": self.run.attach(),
            "whole": self.run.attach(waits_for_end=True),
        }
        self._narrator = self.run.attach()
        self._narrated = asyncio.Event()
        self._left: dict[Side, float] = {}
        self._readings = {side: self._read(side, ()) for side in SIDES}
        self._claimed: set[str] = set()
        self._ended: set[Side] = set()

    def claim(self, role: str) -> bool:
        """Whether the caller is the first to ask for `role`: each is played once."""
        first = role not in self._claimed
        self._claimed.add(role)
        return first

    def leave(self, side: Side) -> None:
        """Stop one side where it is; the last to leave stops the work. Harmless when the run has ended."""
        if side in self._left or self.run.ended:
            return
        self._left[side] = time.perf_counter()
        self._readers[side].close()
        if len(self._left) == len(SIDES):
            self._narrator.close()

    def leave_all(self) -> None:
        """Stop both sides, and with them the work."""
        for side in SIDES:
            self.leave(side)

    # Way 16: The streamed side turns each batch into a view, ten times a second
    async def stream(self, choose_interval: Callable[[], float] = lambda: UPDATE_SECONDS) -> AsyncIterator[PaneView]:
        """The streamed side: its view again and again, as the text grows; the first text and the end at once.

        `choose_interval` says how many seconds to let pass before the next.
        """
        reader, events = self._readers["streamed"], list[Event]()
        try:
            for view in self._queued("streamed"):
                yield view
            async for batch in reader:
                events.extend(batch)
                yield self._view("streamed", events)
                if any(isinstance(event, Token) for event in batch):
                    await reader.coalesce(choose_interval())
        finally:
            view = self._end("streamed", events)
        if "streamed" in self._left:
            yield view

    async def wait(self) -> PaneView:
        """The whole side: its view once, when all of the text is there."""
        try:
            async for _ in self._readers["whole"]:
                pass
            if not self._narrated.is_set():
                # Gradio repeats a generator's last view at its end: that must not come after this one.
                await self._narrated.wait()
                await asyncio.sleep(UPDATE_SECONDS)
        finally:
            view = self._end("whole", self.run.events)
        return view

    async def narrate(self) -> AsyncIterator[PaneView]:
        """The whole side's view while it waits, without any text: only its phase, until the first token."""
        events: list[Event] = []
        try:
            for view in self._queued("whole"):
                yield view
            async for batch in self._narrator:
                events.extend(batch)
                yield self._view("whole", [event for event in events if not isinstance(event, Done | Failed)])
                if "whole" in self._left or isinstance(events[-1], Token | Done | Failed):
                    break
        finally:
            self._narrator.close()
            self._narrated.set()

    def settle(self) -> tuple[PaneView, PaneView]:
        """Both sides' last views: streamed, whole. To be asked when the race is `over`."""
        return settle_views(self._readings["streamed"], self._readings["whole"])

    def _queued(self, side: Side) -> Sequence[PaneView]:
        """The side's view if it has to wait its turn: Gradio may show what a race before it said last only now."""
        return [] if self.run.events else [self._view(side, ())]

    def _view(self, side: Side, events: Sequence[Event]) -> PaneView:
        return view_reading(self._read(side, events))

    def _read(self, side: Side, events: Sequence[Event]) -> Reading:
        return Reading(
            side, self.run.request, self.run.submitted, tuple(events), self._left.get(side), self.label, self.number
        )

    def _end(self, side: Side, events: Sequence[Event]) -> PaneView:
        self.leave(side)
        self._readings[side] = self._read(side, events)
        self._ended.add(side)
        if len(self._ended) == len(SIDES):
            self.over.set()
        return view_reading(self._readings[side])
