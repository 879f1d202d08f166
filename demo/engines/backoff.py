"""Backoff: the pauses between attempts, which grow and are jittered. Knows no engine and no clock."""

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """Each pause is twice the one before, from `shortest` to `longest` seconds, and up to a fifth shorter at random.

    Jittered, so that many servers whose hub comes back do not all ask it in the same second.
    """

    shortest: float = 2.0
    longest: float = 300.0
    draw: Callable[[], float] = random.random
    _pause: float = 0.0

    def choose_pause(self) -> float:
        self._pause = min(max(2 * self._pause, self.shortest), self.longest)
        return self._jitter(self._pause)

    def choose_longest(self) -> float:
        """A pause before an attempt that will probably fail too."""
        return self._jitter(self.longest)

    def reset(self) -> None:
        self._pause = 0.0

    def _jitter(self, pause: float) -> float:
        return pause * (1 - 0.2 * self.draw())
