"""Tells waiting requests how many are before them, and when their first token is expected. In the engine's thread."""

import math
from collections.abc import Callable
from typing import Final

from demo.engines.local.forecast import Forecaster
from demo.engines.local.scheduler import Scheduler
from demo.loop_waker import wake_together

WAITED: Final = 0.1  # seconds after which a request that waits is told
PAUSE: Final = 0.25  # seconds between two looks at all that wait


class QueueReports:
    """Looks at the waiting sequences of a scheduler now and then. Where none waits, this costs one comparison."""

    def __init__(self, scheduler: Scheduler, forecaster: Forecaster, clock: Callable[[], float]) -> None:
        self._scheduler = scheduler
        self._forecaster = forecaster
        self._clock = clock
        self._due = -math.inf

    def write(self) -> None:
        """Write the positions, where another look is due."""
        if not self._scheduler.waiting or (now := self._clock()) < self._due:
            return
        self._due = now + PAUSE
        with wake_together():
            for sequence in self._scheduler.waiting:
                if now - sequence.arrival >= WAITED:
                    sequence.output.note_queue(*self._forecaster.find_place(sequence))
