"""A client that speaks ASGI, for tests in which the order of messages matters."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Message, Scope

from tests.api.client import PATIENCE, read_events
from tests.api.script import TicketEngine, open_api


def make_scope(path: str, method: str = "POST", headers: dict[str, str] | None = None) -> Scope:
    """The ASGI scope of a request with a JSON body."""
    given = {"host": "test", "content-type": "application/json", **(headers or {})}
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
    }


class Visit:
    """One request; a body that is not bytes is sent as JSON.

    `hold` makes sends wait for `release`; `break_at` makes that send, counted from 1, fail.
    """

    def __init__(
        self, app: ASGIApp, path: str, body: Any, headers: dict[str, str] | None = None, method: str = "POST"
    ) -> None:
        self.app = app
        self._scope = make_scope(path, method, headers)
        self._body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.unread = True
        self.sent: list[Message] = []
        self.listening = asyncio.Event()  # the body has been read, the runs have begun
        self.break_at = 0
        self._left = asyncio.Event()
        self._free = asyncio.Event()
        self._free.set()
        self._held_headers = False
        self._news = asyncio.Event()

    def start(self) -> "Visit":
        """Send the request; returns at once."""
        self.task = asyncio.ensure_future(self.app(self._scope, self._receive, self._send))
        return self

    def leave(self) -> None:
        self._left.set()

    def hold(self, headers: bool = False) -> None:
        """Read nothing from now on, not even `headers`."""
        self._held_headers = headers
        self._free.clear()

    def release(self) -> None:
        self._free.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._news.clear()
            await asyncio.wait_for(self._news.wait(), PATIENCE)

    async def until_listening(self) -> "Visit":
        """Returns when the request is being answered."""
        waiting = asyncio.ensure_future(self.listening.wait())
        await asyncio.wait({waiting, self.task}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        assert waiting.done(), self.sent
        return self

    async def until_ended(self) -> "Visit":
        """Returns when the application has; raises what it raises."""
        await asyncio.wait({self.task}, timeout=PATIENCE)
        assert self.task.done(), "the response hangs"
        self.task.result()
        return self

    async def hang_up(self) -> None:
        """Disconnect; returns when the application has."""
        self.leave()
        await self.until_ended()

    @property
    def status(self) -> int | None:
        return self.sent[0]["status"] if self.sent else None

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode("latin-1") for name, value in self.sent[0]["headers"]}

    @property
    def writes(self) -> list[bytes]:
        return [message["body"] for message in self.sent[1:]]

    @property
    def body(self) -> bytes:
        return b"".join(self.writes)

    @property
    def events(self) -> list[Any]:
        return read_events(self.body)

    async def _receive(self) -> Message:
        if self.unread:
            self.unread = False
            return {"type": "http.request", "body": self._body, "more_body": False}
        self.listening.set()
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        expected = "http.response.body" if self.sent else "http.response.start"
        assert message["type"] == expected, message
        assert len(self.sent) < 2 or self.sent[-1]["more_body"], "sent after the end"
        if self.break_at == len(self.sent) + 1:
            raise OSError("the connection is gone")
        self.sent.append(message if "body" not in message else {"more_body": False, **message})
        self._news.set()
        if "body" in message or self._held_headers:
            await self._free.wait()


async def begin(path: str, body: Any, headers: dict[str, str] | None = None) -> tuple[TicketEngine, Visit]:
    """A request that is being answered, and the engine that the test drives."""
    engine = TicketEngine()
    return engine, await Visit(open_api(engine), path, body, headers).start().until_listening()
