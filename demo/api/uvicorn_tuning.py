"""uvicorn's connections and its end, tuned. No other file uses names that uvicorn does not document.

uvicorn is the server itself here, with no proxy before it. For that it lacks limits to how long a client may take for
its headers, for its body and before its first request, and errors in JSON: `Connection` adds these and no more.
"""

import asyncio
import json
import logging
import signal
import socket
import sys
from collections.abc import Callable
from http import HTTPStatus
from types import FrameType
from typing import Any, Final, Literal, cast
from urllib.parse import unquote

import h11
import uvicorn
from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from demo.api.dialects.errors import Refused, write_native
from demo.api.ending import Ending
from demo.api.half_close import HalfClose
from demo.api.traffic import KEY, CountedConnection

logger = logging.getLogger(__name__)

HEADER_SECONDS: Final = 10.0  # from the first byte of a request to the end of its headers
BODY_SECONDS: Final = 20.0  # between two pieces of a body
IDLE_SECONDS: Final = 30  # before the first request, and between two
GRACE_SECONDS: Final = 1  # for open connections to receive their final event, after the engine has ended

USED_NAMES: Final[dict[type, tuple[str, ...]]] = {
    H11Protocol: (
        *("conn", "cycle", "loop", "scope", "transport"),
        *("handle_events", "on_response_complete", "send_400_response"),
    ),
    RequestResponseCycle: ("keep_alive", "response_complete"),
    uvicorn.Server: ("_captured_signals", "handle_exit", "on_tick", "server_state", "shutdown"),
    ServerState: ("connections",),
}


def list_missing_names() -> list[str]:
    """The names in `USED_NAMES`, of methods or attributes, that the installed uvicorn lacks."""
    missing = []
    for owner, names in USED_NAMES.items():
        known = {*dir(owner), *owner.__init__.__code__.co_names}  # type: ignore[misc]  # on a class, which mypy warns of
        missing += [f"{owner.__name__}.{name}" for name in names if name not in known]
    return missing


def choose_protocol() -> type[H11Protocol] | Literal["h11"]:
    """`Connection`, or uvicorn's own protocol where uvicorn lacks a name that `Connection` needs."""
    if missing := list_missing_names():
        logger.warning(
            "uvicorn %s has no %s: connections have no time limits, and reports no bytes. Install the pinned version.",
            uvicorn.__version__,
            ", ".join(missing),
        )
        return "h11"
    return Connection


class Connection(H11Protocol):
    """Answers 408 to a client that does not finish its request, JSON instead of text to bad HTTP, and counts bytes."""

    _timer: asyncio.TimerHandle | None = None
    _has_received = False
    _half_close: HalfClose | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._counted = self.conn = CountedConnection()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        # Browsers open connections in advance: these are closed without a reply.
        self._timer = self.loop.call_later(IDLE_SECONDS, transport.close)

    def data_received(self, data: bytes) -> None:
        if not self._has_received:
            self._has_received = True
            self._stop_timer()
        super().data_received(data)
        self._start_timer()

    def eof_received(self) -> bool:  # type: ignore[override]  # as in asyncio
        if self._half_close is not None:
            return True
        if self.cycle is None or self.cycle.response_complete or self.conn.their_state is h11.SEND_BODY:
            return False
        self._stop_timer()
        self._half_close = HalfClose(self._counted, self.transport, self.loop)
        self._end_after_last_reply()
        return True

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._half_close is not None:
            self._end_after_last_reply()

    def _end_after_last_reply(self) -> None:
        if self.cycle.response_complete:
            self.transport.close()
        elif not self.conn.trailing_data[0]:  # else other requests wait for their replies
            self.cycle.keep_alive = False

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        if self._half_close is not None:
            self._half_close.stop()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        super().handle_events()
        if self.scope is not None:
            # The application has not begun yet: its task runs when this call has returned.
            self.scope["state"][KEY] = self._counted.traffic
            replace_absolute_form(cast(Scope, self.scope))

    def send_400_response(self, msg: str) -> None:
        error = sys.exc_info()[1]
        status = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        self._refuse(status, f"This is not a request that can be read ({error or msg}): send HTTP/1.1.")

    def _start_timer(self) -> None:
        if self.conn.their_state is h11.SEND_BODY:
            self._stop_timer()
            self._timer = self.loop.call_later(BODY_SECONDS, self._refuse_late)
        elif self.conn.their_state is not h11.IDLE:
            self._stop_timer()
        elif self._timer is None:
            # Not restarted by more bytes: headers that trickle in are late all the same.
            self._timer = self.loop.call_later(HEADER_SECONDS, self._refuse_late)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse_late(self) -> None:
        self._refuse(408, "The request did not arrive in time: send it again, without pauses.")

    def _refuse(self, status: int, sentence: str) -> None:
        self._stop_timer()
        if self.transport.is_closing():
            return
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            phrase = HTTPStatus(status).phrase
            body = json.dumps(write_native(Refused(phrase.lower().replace(" ", "_"), sentence))).encode()
            headers = [
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
                ("Connection", "close"),
            ]
            response = h11.Response(status_code=status, headers=headers, reason=phrase)
            for event in (response, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def replace_absolute_form(scope: Scope) -> None:
    """Put the path and the host of an absolute target in place: it counts, and the Host header does not.

    RFC 9112, 3.2.2: `GET http://host/path`, as clients send it to proxies.
    """
    target: bytes = scope["raw_path"]
    if not target.lower().startswith((b"http://", b"https://")):
        return
    host, slash, path = target.partition(b"://")[2].partition(b"/")
    scope["raw_path"] = slash + path or b"/"
    scope["path"] = unquote(scope["raw_path"].decode("ascii"))
    scope["headers"][:] = [(b"host", host), *(header for header in scope["headers"] if header[0] != b"host")]


class TunedUvicorn(uvicorn.Server):
    """uvicorn, but `on_exit` runs before it waits for the open responses, and these get `GRACE_SECONDS` to end.

    With an `ending`, it serves on after the first SIGTERM until that has drained; a second signal ends it at once.

    A page keeps a connection open for as long as it is shown. uvicorn would cancel its response, with a traceback;
    with its connection closed, the response ends as if the page had been closed.
    """

    def __init__(self, config: uvicorn.Config, on_exit: Callable[[], None], ending: Ending | None = None) -> None:
        super().__init__(config)
        self._on_exit = on_exit
        self._ending = ending

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Takes no lock and writes no log: it interrupts the event loop's thread, which may be doing either.
        if self._captured_signals:
            self.should_exit = True  # while it drains; the process ends by the first signal all the same
        elif sig == signal.SIGTERM and self._ending is not None:
            self._captured_signals.append(sig)
        else:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        if self._captured_signals and self._ending is not None:
            self._ending.begin()
            self.should_exit |= self._ending.is_due
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await asyncio.to_thread(self._on_exit)
        asyncio.get_running_loop().call_later(GRACE_SECONDS, self._close_connections)
        await super().shutdown(sockets)

    def _close_connections(self) -> None:
        for connection in tuple(self.server_state.connections):
            connection.transport.close()
