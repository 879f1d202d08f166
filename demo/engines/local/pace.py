"""Rate limit of one answer: a leaky bucket (GCRA, ITU-T I.371). Knows no clock."""

import math
from typing import Final

CATCH_UP: Final = 0.1  # seconds of delay that later tokens make up for; more would look like a burst


class Pace:
    """The schedule of an answer of at most `rate` tokens/s; None sets no limit."""

    def __init__(self, rate: float | None) -> None:
        self._gap = 1 / rate if rate else 0.0
        self.due = -math.inf  # of the next token

    @property
    def following(self) -> float:
        """When the token after the next is due, if the next is on time; infinity before the first."""
        return math.inf if self._gap and self.due == -math.inf else self.due + self._gap

    def note(self, time: float) -> None:
        """Count a token that was sampled at `time`."""
        begun = self.due > -math.inf
        self.due = (max(self.due, time - CATCH_UP) if begun else time) + self._gap
