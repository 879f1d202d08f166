"""One run, read once and told to all phones of a room. Coalesced, so that telling does not slow the engine.

Each update costs a write for each phone of the streamed arm, on cores that the model may be using.
"""

import time
from collections.abc import Sequence
from contextlib import closing
from typing import Final

from demo.events import Done, Event, Failed, Token
from demo.room.room import Room
from demo.run import Run

UPDATES_PER_SECOND: Final = 20  # of the text; the first token and the end never wait
WRITES_PER_SECOND: Final = 1500  # of all phones together: two hundred get seven updates a second


class Broadcast:
    """Follows `run` for the present round of `room`, until its last event. The run goes on, whichever phones leave."""

    def __init__(self, room: Room, run: Run) -> None:
        self.run = run
        self._room = room
        self._outcome = room.require_round().outcome
        self._reader = run.attach()

    async def follow(self) -> None:
        """Tell the room what comes, to the end."""
        with closing(self._reader):
            async for batch in self._reader:
                self._add(batch)
                if any(isinstance(event, Token) for event in batch):
                    interval = max(1 / UPDATES_PER_SECOND, len(self._room.present) / WRITES_PER_SECOND)
                    await self._reader.coalesce(interval)

    def measure(self) -> float:
        """Seconds since the run was asked for."""
        return time.perf_counter() - self.run.submitted

    def _add(self, batch: Sequence[Event]) -> None:
        outcome, end = self._outcome, batch[-1]
        tokens = [event for event in batch if isinstance(event, Token)]
        text = "".join(token.text for token in tokens)
        if text and outcome.ttft is None:
            outcome.ttft = self._since_start(next(token for token in tokens if token.text).time)
        if tokens:
            outcome.tokens, outcome.seconds = tokens[-1].index, self._since_start(tokens[-1].time)
        is_last = isinstance(end, Done | Failed)
        if tokens or is_last:
            self._room.add_text(text, outcome.tokens, outcome.seconds or 0.0, is_last)
        if isinstance(end, Done | Failed):
            self._end(end)

    def _end(self, end: Done | Failed) -> None:
        outcome = self._outcome
        outcome.seconds = self._since_start(end.time)
        outcome.finish = "failed" if isinstance(end, Failed) else end.finish_reason
        outcome.error = str(end.error) if isinstance(end, Failed) else None
        self._room.end_run()

    def _since_start(self, moment: float) -> float:
        return round(moment - self.run.submitted, 6)
