"""Run: one request's log of events, and the readers that follow it, each at its own pace.

Knows the Engine protocol and no engine. The log is written by the engine's thread and read from any thread or event
loop; neither the writer nor a reader waits for another reader.
"""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial

from demo.engine import Engine, Ticket
from demo.events import Done, Event, Failed
from demo.loop_waker import find_waker
from demo.request import Request


class Run:
    """One generation. Starts on construction; raises what `Engine.submit` raises.

    It is cancelled when the last of its readers has been closed.
    """

    # Way 8: The run submits the request, which is accepted or refused here
    def __init__(self, engine: Engine, request: Request) -> None:
        self._prepare(request)
        self._keep(engine.submit(request, self._append))

    @classmethod
    def start_all(cls, engine: Engine, requests: Sequence[Request]) -> "list[Run]":
        """A run for each request, all or none. Raises what `Engine.submit_all` raises."""
        runs = [cls.__new__(cls) for _ in requests]
        for run, request in zip(runs, requests, strict=True):
            run._prepare(request)
        tickets = engine.submit_all(requests, [run._append for run in runs])
        for run, ticket in zip(runs, tickets, strict=True):
            run._keep(ticket)
        return runs

    def _prepare(self, request: Request) -> None:
        self.request = request
        self.submitted = time.perf_counter()
        self._lock = threading.Lock()
        self._events: list[Event] = []
        self._readers: set[Reader] = set()
        self._ticket: Ticket | None = None

    def _keep(self, ticket: Ticket) -> None:
        """Keep the ticket while there is work to cancel: it refers to all that the engine holds of the request."""
        self.admitted = time.perf_counter()
        with self._lock:
            self._ticket = ticket if self._find_end() is None else None

    @property
    def events(self) -> Sequence[Event]:
        """All events so far, oldest first: a copy."""
        with self._lock:
            return tuple(self._events)

    @property
    def end(self) -> Done | Failed | None:
        """The last event; None while there are more to come."""
        with self._lock:
            return self._find_end()

    @property
    def ended(self) -> bool:
        return self.end is not None

    def attach(self, waits_for_end: bool = False) -> "Reader":
        """A new reader, at the beginning of the log; `waits_for_end`: woken at the end only. Close it when done."""
        reader = Reader(self, waits_for_end)
        with self._lock:
            if self._find_end() is None:
                self._readers.add(reader)
        return reader

    def cancel(self) -> None:
        """Stop the work for all readers: each still receives a final event. Harmless when it has ended."""
        if (ticket := self._ticket) is not None:
            ticket.cancel()

    # Way 12: The engine's thread appends the sampled token to the log and wakes the readers
    def _append(self, *events: Event) -> None:
        with self._lock:
            self._events.extend(events)
            ended = self._find_end() is not None
            awake = [reader for reader in self._readers if ended or not reader.waits_for_end]
            wakers = [waker for reader in awake if (waker := reader._take_waker()) is not None]
            if ended:  # a log that has ended refers to nobody, and is freed with its last reader
                self._ticket = None
                self._readers.clear()
        for wake in wakers:
            wake()

    def _find_end(self) -> Done | Failed | None:
        last = self._events[-1] if self._events else None
        return last if isinstance(last, Done | Failed) else None

    def _detach(self, reader: "Reader") -> None:
        with self._lock:
            self._readers.discard(reader)
            abandoned = not self._readers and self._find_end() is None
        if abandoned:
            self.cancel()


class Reader:
    """One reader's position in a run's log. Iterate it once, from a thread (`for`) or a loop (`async for`).

    Each item is the batch of all events since the last one: a slow reader gets fewer, larger batches and all events. A
    reader that waits for the end gets a single batch and is not woken before: waking it takes time on a core that the
    model may be using. Iteration ends after the final event, or when the reader is closed.
    """

    def __init__(self, run: Run, waits_for_end: bool = False) -> None:
        self.run = run
        self.waits_for_end = waits_for_end
        self.closed = False
        self._position = 0
        self._wake: Callable[[], None] | None = None

    def close(self) -> None:
        """Stop reading: an iteration that waits ends. Closing the last reader of a run cancels the run."""
        with self.run._lock:
            self.closed = True
            wake = self._take_waker()
        if wake is not None:
            wake()
        self.run._detach(self)

    async def coalesce(self, seconds: float) -> None:
        """Let events accumulate for `seconds`, or until the run ends or this reader is closed."""
        waker, loop = find_waker(), asyncio.get_running_loop()
        over: asyncio.Future[None] = loop.create_future()
        with self.run._lock:
            if self.closed or self.run._find_end() is not None:
                return
            waited, self.waits_for_end, self._wake = self.waits_for_end, True, partial(waker.wake, over)
        timer = loop.call_later(seconds, _resolve, over)
        try:
            await over
        finally:
            timer.cancel()
            with self.run._lock:
                self.waits_for_end, self._wake = waited, None

    def __iter__(self) -> Iterator[Sequence[Event]]:
        while True:
            news = threading.Event()
            if (batch := self._take(news.set)) is None:
                return
            if batch:
                yield batch
            else:
                news.wait()

    # Way 14: The reader yields everything that has been appended since its last batch
    async def __aiter__(self) -> AsyncIterator[Sequence[Event]]:
        waker, loop = find_waker(), asyncio.get_running_loop()
        news: asyncio.Future[None] = loop.create_future()
        while (batch := self._take(partial(waker.wake, news))) is not None:
            if batch:
                yield batch
            else:
                await news
                news = loop.create_future()

    # Way 15: It holds the log's lock only to copy the new events
    def _take(self, wake: Callable[[], None]) -> Sequence[Event] | None:
        """The unread events; where there are none, `wake` is called at the next one. None at the end."""
        with self.run._lock:
            events, ended = self.run._events, self.run._find_end() is not None
            if self.closed or (ended and self._position == len(events)):
                return None
            until = self._position if self.waits_for_end and not ended else len(events)
            batch = tuple(events[self._position : until])
            self._position = until
            self._wake = None if batch else wake
            return batch

    def _take_waker(self) -> Callable[[], None] | None:
        wake, self._wake = self._wake, None
        return wake


def _resolve(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
