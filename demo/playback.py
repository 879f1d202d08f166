"""Playback: events written into a log at the moments that are stamped on them, by a thread that mostly sleeps."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from demo.errors import DemoError, Overloaded
from demo.events import Done, Event, Failed, Log, Token

MAX_AT_ONCE: Final = 256
_places = threading.BoundedSemaphore(MAX_AT_ONCE)


class Playback:
    """A Ticket. Plays `schedule`: groups of events, each written together when its first is due.

    A schedule that ends without Done or Failed was cut off by `on_cancel`, called once, when the playback is cancelled.
    Raises Overloaded where too many are being played.
    """

    def __init__(
        self, schedule: Iterable[Sequence[Event]], log: Log, on_cancel: Callable[[], None] = lambda: None
    ) -> None:
        if not _places.acquire(blocking=False):
            raise Overloaded("Too many runs are being played back: try again in a moment.")
        self._schedule = schedule
        self._log = log
        self._on_cancel = on_cancel
        self._halted = threading.Event()
        self._error: DemoError | None = None
        self._thread = threading.Thread(target=self._play, name="playback", daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """Stop: a last event is written at once. Harmless when it has ended."""
        if not self._halted.is_set():
            self._halted.set()
            self._on_cancel()

    def fail(self, error: DemoError) -> None:
        """Stop, with a failure as the last event."""
        self._error = error
        self.cancel()

    @property
    def playing(self) -> bool:
        """Whether the last event is still to come."""
        return self._thread.is_alive()

    def join(self) -> None:
        """Wait for the last event."""
        self._thread.join()

    def _play(self) -> None:
        written = 0
        try:
            for group in self._schedule:
                if self._halted.wait(max(group[0].time - time.perf_counter(), 0.0)):
                    break
                self._log(*group)
                written += sum(isinstance(event, Token) for event in group)
                if isinstance(group[-1], Done | Failed):
                    return
            now = time.perf_counter()
            self._log(Failed(now, self._error) if self._error else Done(now, "cancelled", written))
        finally:
            _places.release()
