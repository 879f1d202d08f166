"""The orderly end of a server that is being replaced: it admits nothing new, and lets what it answers end. Thread-safe.

Knows no engine and no HTTP.
"""

import math
import time
from collections.abc import Callable

from demo.errors import NotReady


class Drain:
    """Begins once, for `seconds` at most."""

    def __init__(self, seconds: int, clock: Callable[[], float] = time.perf_counter) -> None:
        self.seconds = seconds
        self._clock = clock
        self._until: float | None = None

    def begin(self) -> None:
        """Admit nothing from now on."""
        if self._until is None:
            self._until = self._clock() + self.seconds

    @property
    def has_begun(self) -> bool:
        """Whether nothing is admitted any more."""
        return self._until is not None

    @property
    def is_over(self) -> bool:
        """Whether the time for open answers is up."""
        return self._until is not None and self._clock() >= self._until

    def require_open(self) -> None:
        """Raises NotReady once it has begun: with the seconds after which another server is expected to answer."""
        if self._until is not None:
            left = max(math.ceil(self._until - self._clock()), 1)
            raise NotReady(
                "The server is draining: it ends the answers that have begun and takes no new request. Send it again "
                f"in {left} s, or to another server.",
                left,
            )
