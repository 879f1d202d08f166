"""The open tabs: which sessions have an event stream, what waits to be sent to each, and which work belongs to it.

Knows no Gradio and no listener. All of it runs in one event loop.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from demo.shared_limit import SharedLimit

MAX_TABS: Final = 2000  # of all clients together
MAX_EVENTS: Final = 32  # of one tab that run at once; a click starts up to four
UNREAD_SECONDS: Final = 30.0  # for which a session is kept without an event stream
MAX_UNSENT: Final = 2**23  # bytes that wait for one tab
KEEP_ALIVE_SECONDS: Final = 15.0  # between two messages: proxies close what is silent for a minute
KEEP_ALIVE: Final = b'data: {"msg":"heartbeat"}\n\n'
FULL: Final = "Too many tabs are open on this server: it tries again by itself."
BUSY: Final = "This tab has asked for too much at once: wait a moment."


@dataclass(slots=True)
class OpenTab:
    """One session: its client, its running tasks, its unsent messages."""

    client: str
    timer: asyncio.TimerHandle  # which forgets it, unless a reader comes before
    tasks: set["asyncio.Task[None]"] = field(default_factory=set)
    unsent: list[bytes] = field(default_factory=list)
    unsent_bytes: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)
    readers: int = 0


class Tabs:
    """All sessions, by name. `on_close` is called with the name of each that is forgotten."""

    def __init__(self, max_tabs: int = MAX_TABS, unread_seconds: float = UNREAD_SECONDS) -> None:
        self.on_close: Callable[[str], None] = lambda name: None
        self._unread_seconds = unread_seconds
        self._open: dict[str, OpenTab] = {}
        self.places = SharedLimit(max_tabs)

    def __contains__(self, name: str) -> bool:
        return name in self._open

    def admit(self, name: str, client: str) -> bool:
        """Whether the session may ask: it is open, or it becomes so for `client`."""
        if name in self._open:
            return True
        if not self.places.take(client):
            return False
        timer = asyncio.get_running_loop().call_later(self._unread_seconds, self.forget, name)
        self._open[name] = OpenTab(client, timer)
        return True

    def start(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Run `work` for an open session until it ends or the session is forgotten; False where too much runs."""
        tab = self._open[name]
        if len(tab.tasks) >= MAX_EVENTS:
            return False
        task = asyncio.get_running_loop().create_task(work())
        tab.tasks.add(task)
        task.add_done_callback(tab.tasks.discard)
        return True

    def send(self, name: str, message: bytes) -> None:
        """Send a message to the session, if it is still open. One that reads too slowly is forgotten."""
        if (tab := self._open.get(name)) is None:
            return
        tab.unsent.append(message)
        tab.unsent_bytes += len(message)
        tab.news.set()
        if tab.unsent_bytes > MAX_UNSENT:
            self.forget(name)

    @contextmanager
    def attach(self, name: str) -> Iterator[AsyncIterator[bytes]]:
        """The messages to an open session, all that wait in one piece. It is forgotten when its last reader leaves."""
        tab = self._open[name]
        tab.readers += 1
        tab.timer.cancel()
        try:
            yield self._read(name, tab)
        finally:
            tab.readers -= 1
            if tab.readers == 0 and self._open.get(name) is tab:
                self.forget(name)

    async def _read(self, name: str, tab: OpenTab) -> AsyncIterator[bytes]:
        while self._open.get(name) is tab:
            with suppress(TimeoutError):
                async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                    await tab.news.wait()
            tab.news.clear()
            unsent, tab.unsent, tab.unsent_bytes = tab.unsent, [], 0
            yield b"".join(unsent) or KEEP_ALIVE

    def forget(self, name: str) -> None:
        """Cancel the session's work and free its place."""
        tab = self._open.pop(name)
        tab.timer.cancel()
        for task in tuple(tab.tasks):
            task.cancel()
        tab.news.set()
        self.places.give_back(tab.client)
        self.on_close(name)
