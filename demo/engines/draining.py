"""The orderly end of a server that is being replaced: it admits nothing new, and lets what it answers end. Thread-safe.

Knows no HTTP.
"""

import math
import time
from collections.abc import Callable, Sequence

from demo.engine import Engine, Log, Ticket
from demo.engines.wrapper import EngineWrapper
from demo.errors import NotReady
from demo.request import Request


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


class DrainingEngine(EngineWrapper):
    """Raises NotReady for every request, of the API and of the page, once `drain` has begun. What runs goes on."""

    def __init__(self, engine: Engine, drain: Drain) -> None:
        super().__init__(engine)
        self._drain = drain

    def admit(self) -> None:
        self._drain.require_open()
        super().admit()

    def submit_all(self, requests: Sequence[Request], logs: Sequence[Log]) -> Sequence[Ticket]:
        self._drain.require_open()
        return super().submit_all(requests, logs)
