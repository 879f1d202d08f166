"""LoopWaker: wakes coroutines of one event loop from other threads, many with one call."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakValueDictionary


class _Deferred(threading.local):
    """The wakers that this thread has used and not flushed; None where each use is flushed at once."""

    wakers: "list[LoopWaker] | None" = None


_deferred = _Deferred()


@contextmanager
def wake_together() -> Iterator[None]:
    """The futures that this thread wakes in this block are resolved after the block, by one call of each loop."""
    wakers: list[LoopWaker] = []
    _deferred.wakers = wakers
    try:
        yield
    finally:
        _deferred.wakers = None
        for waker in wakers:
            waker.flush()


# Way 13: Many wakes from the engine's thread become one call of the event loop
class LoopWaker:
    """Resolves futures: one call of the loop for all that are woken before it runs the call.

    Each call costs the calling thread a system call, during which the loop's thread may take the GIL from it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._woken: list[asyncio.Future[None]] = []

    def wake(self, waiting: "asyncio.Future[None]") -> None:
        """Resolve a future of the loop soon. From any thread; harmless where the future or the loop has ended."""
        with self._lock:
            self._woken.append(waiting)
            if len(self._woken) > 1:
                return
        if _deferred.wakers is None:
            self.flush()
        else:
            _deferred.wakers.append(self)

    def flush(self) -> None:
        """Call the loop to resolve the futures."""
        try:
            self._loop.call_soon_threadsafe(self._resolve)
        except RuntimeError:  # the loop is closed: no coroutine waits any more
            self._take()

    def _resolve(self) -> None:
        for waiting in self._take():
            if not waiting.done():
                waiting.set_result(None)

    def _take(self) -> "list[asyncio.Future[None]]":
        with self._lock:
            woken, self._woken = self._woken, []
        return woken


# By the loop's id: a waker refers to its loop, so a dictionary that held either of them would keep both for ever.
_wakers: "WeakValueDictionary[int, LoopWaker]" = WeakValueDictionary()


def find_waker() -> LoopWaker:
    """The waker of the running loop: one waker, for as long as it is in use."""
    loop = asyncio.get_running_loop()
    if (waker := _wakers.get(id(loop))) is None:
        waker = _wakers[id(loop)] = LoopWaker(loop)
    return waker
