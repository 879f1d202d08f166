"""Where prompts are encoded: a short one at once, a long one in one of two threads, so that no event loop waits.

Knows no tokenizer. The threads hold up nobody as far as what they call releases the GIL, or is short.
"""

import asyncio
import heapq
import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any, Final, TypeVar

from demo.errors import Overloaded
from demo.request import Prompt, TokenIds

LONG_PROMPT: Final = 4096  # characters: encoding fewer takes milliseconds
MESSAGE_COST: Final = 16  # characters: what the template adds to a message
VERY_LONG_PROMPT: Final = 32_768  # characters. Each may take tens of megabytes and half a second: one at a time
MAX_WAITING: Final = 16  # for one of the threads
SECONDS_PER_CHARACTER: Final = 1e-5  # how much later a character lets a prompt's turn come

T = TypeVar("T")


def measure_prompt(prompt: Prompt) -> int:
    """The work of encoding a prompt, in characters."""
    if isinstance(prompt, str | TokenIds):
        return len(prompt)
    return sum(len(each.content) + len(each.reasoning or "") + MESSAGE_COST for each in prompt)


async def run_beside(size: int, work: Callable[[], T], discard: Callable[[T], object] = lambda result: None) -> T:
    """The result of `work` on a text of `size` characters; a short one is worked on at once, in this thread.

    Where this call is cancelled, a result that comes all the same is passed to `discard`. Raises Overloaded.
    """
    if size < LONG_PROMPT:
        return work()
    in_context = partial(copy_context().run, work)  # which says whose request this is
    return await _threads[size >= VERY_LONG_PROMPT].run(size, in_context, discard)


class PromptThread:
    """Runs work on long prompts in a thread; at most `waiting` wait for it.

    A short one does not wait for all long ones before it, nor a long one for ever: whose turn is next depends on
    arrival and size.
    """

    def __init__(self, waiting: int = MAX_WAITING) -> None:
        self._pool = ThreadPoolExecutor(1, "prompt")
        self._limit = waiting
        self._waiting: list[tuple[float, int, Future[Any], Callable[[], Any]]] = []
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    async def run(self, size: int, work: Callable[[], T], discard: Callable[[T], object]) -> T:
        """As `run_beside`, in the thread."""
        future: Future[T] = self._add(size, work)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            self._drop(future)
            future.add_done_callback(partial(_discard, discard))
            raise

    def _add(self, size: int, work: Callable[[], T]) -> "Future[T]":
        future: Future[T] = Future()
        with self._lock:
            if len(self._waiting) >= self._limit:
                raise Overloaded("Many long prompts are being read: try again in a few seconds, or send a shorter one.")
            turn = time.monotonic() + size * SECONDS_PER_CHARACTER
            heapq.heappush(self._waiting, (turn, next(self._numbers), future, work))
        self._pool.submit(self._run_next)
        return future

    def _drop(self, future: "Future[Any]") -> None:
        """Release the text of work that nobody waits for and that has not begun."""
        with self._lock:
            self._waiting = [each for each in self._waiting if each[2] is not future]
            heapq.heapify(self._waiting)

    def _run_next(self) -> None:
        with self._lock:
            if not self._waiting:
                return
            _, _, future, work = heapq.heappop(self._waiting)
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(work())
        except BaseException as error:  # the caller's, as that of any call
            future.set_exception(error)


def _discard(discard: Callable[[T], object], future: "Future[T]") -> None:
    if not future.cancelled() and future.exception() is None:
        discard(future.result())


_threads: Final = (PromptThread(), PromptThread())  # of this process, which the API and the page share
