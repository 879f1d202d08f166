"""Bell: wakes coroutines of one event loop from other threads, many with one call."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary


class _Held(threading.local):
    """The bells that this thread has rung and not sounded; None where it sounds them at once."""

    bells: "list[Bell] | None" = None


_held = _Held()


@contextmanager
def ring_together() -> Iterator[None]:
    """Whoever this thread rings for in this block is woken at its end: all of them by one call of their loop."""
    bells: list[Bell] = []
    _held.bells = bells
    try:
        yield
    finally:
        _held.bells = None
        for bell in bells:
            bell.sound()


class Bell:
    """Rung for any number of futures; until the loop comes to look, it is called only once.

    Each call costs the ringing thread a system call, in which the loop's thread may take Python's lock from it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._rung: list[asyncio.Future[None]] = []

    def ring(self, waiting: "asyncio.Future[None]") -> None:
        """Resolve a future of the loop soon. From any thread; harmless where the future or the loop has ended."""
        with self._lock:
            self._rung.append(waiting)
            if len(self._rung) > 1:
                return
        if _held.bells is None:
            self.sound()
        else:
            _held.bells.append(self)

    def sound(self) -> None:
        """Call the loop to look."""
        try:
            self._loop.call_soon_threadsafe(self._answer)
        except RuntimeError:  # the loop is closed: nobody waits any more
            self._rung.clear()

    def _answer(self) -> None:
        with self._lock:
            rung, self._rung = self._rung, []
        for waiting in rung:
            if not waiting.done():
                waiting.set_result(None)


_bells: "WeakKeyDictionary[asyncio.AbstractEventLoop, Bell]" = WeakKeyDictionary()


def find_bell() -> Bell:
    """The running loop's own."""
    loop = asyncio.get_running_loop()
    if loop not in _bells:
        _bells[loop] = Bell(loop)
    return _bells[loop]
