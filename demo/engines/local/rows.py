"""The answers being written: each a row of the decoder's next step, or parked until its next token is due."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from demo.engines.local.sequence import Generation, SampledToken

if TYPE_CHECKING:
    from demo.engines.local.decode import Decoder, Line


class Rows:
    """Belongs to the engine's thread; any thread may ask for its length.

    Whatever raises leaves nothing usable in the decoder: `clear`.
    """

    def __init__(self, decoder: "Decoder", clock: Callable[[], float]) -> None:
        self.stepping: list[Generation] = []  # in the decoder's order
        self.parked: dict[Generation, Line] = {}
        self._decoder = decoder
        self._clock = clock
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def pause(self) -> float:
        """Seconds until there is something to do for one of them: infinitely many where there is none."""
        if self.stepping or any(generation.cancelled for generation in self.parked):
            return 0.0
        return min((generation.pace.due for generation in self.parked), default=math.inf) - self._clock()

    def join(self, generation: Generation, line: "Line") -> None:
        """Add a sequence whose first token is sampled."""
        self._count += 1
        self._enter(generation, line)
        self.settle()

    def leave(self, row: int) -> Generation:
        """Remove a row; the last takes its number."""
        self._count -= 1
        generation = self._drop(row)
        self._decoder.leave(row)
        return generation

    def drop_cancelled(self) -> list[Generation]:
        """Remove and return those that nobody reads any more."""
        cancelled = [row for row, generation in enumerate(self.stepping) if generation.cancelled]
        dropped = [self.leave(row) for row in reversed(cancelled)]
        unparked = [generation for generation in self.parked if generation.cancelled]
        for generation in unparked:
            del self.parked[generation]
            self._count -= 1
        return dropped + unparked

    def settle(self) -> None:
        """Park the rows whose next token is not due, and let those that are due join again; not while one is ahead."""
        if self._decoder.is_ahead:
            return
        now = self._clock()
        for row in reversed(range(len(self.stepping))):
            if self.stepping[row].pace.due > now:
                line = self._decoder.park(row)
                self.parked[self._drop(row)] = line
        for generation in [each for each in self.parked if each.pace.due <= now]:
            self._enter(generation, self.parked.pop(generation))

    def step(self, ahead: bool) -> "Sequence[SampledToken | Exception]":
        """The next token of every row. Looks `ahead` only where no row would get a token before it is due."""
        now = self._clock()
        wait = any(generation.pace.due <= now for generation in self.parked)
        return self._decoder.step(ahead and not wait and all(each.pace.following <= now for each in self.stepping))

    def clear(self) -> list[Generation]:
        """Drop the rows, and what the decoder holds of them; those that are parked stay."""
        dropped, self.stepping = self.stepping, []
        self._count = len(self.parked)
        self._decoder.reset()
        return dropped

    def _enter(self, generation: Generation, line: "Line") -> None:
        self.stepping.append(generation)
        self._decoder.join(line)

    def _drop(self, row: int) -> Generation:
        generation, last = self.stepping[row], self.stepping.pop()
        if row < len(self.stepping):
            self.stepping[row] = last
        return generation
