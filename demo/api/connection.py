"""One client's connection: uvicorn's HTTP/1.1, with a limit to how long a client may be waited for."""

import asyncio
import json
import sys
from http import HTTPStatus
from typing import Any, Final

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol

from demo.api import traffic
from demo.api.dialects.errors import Refused, write_native
from demo.api.framing import Framing

HEADER_SECONDS: Final = 10.0  # from the first byte of a request until its headers are there
BODY_SECONDS: Final = 20.0  # between two pieces of a body
IDLE_SECONDS: Final = 30  # before the first request, and between two
UNREAD_SECONDS: Final = 30  # how long the system may hold what a client does not take


class Connection(H11Protocol):
    """Answers 408 to a client that does not finish its request, and JSON where uvicorn would answer text."""

    _patience: asyncio.TimerHandle | None = None
    _has_spoken = False

    def __init__(self, config: Config, *args: Any, **more: Any) -> None:
        super().__init__(config, *args, **more)
        self._framing = self.conn = Framing(h11.SERVER)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        # Browsers open connections in advance: no answer to what was never asked.
        self._patience = self.loop.call_later(IDLE_SECONDS, transport.close)

    def data_received(self, data: bytes) -> None:
        if not self._has_spoken:
            self._has_spoken = True
            self._stop_waiting()
        super().data_received(data)
        self._wait_for_client()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        super().handle_events()
        if self.scope is not None:
            # The application has not begun yet: its task runs when this call has returned.
            self.scope["state"][traffic.KEY] = self._framing.traffic

    def send_400_response(self, msg: str) -> None:
        error = sys.exc_info()[1]
        status = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        self._hang_up(status, f"This is not a request that can be read ({error or msg}): send HTTP/1.1.")

    def _wait_for_client(self) -> None:
        if self.conn.their_state is h11.SEND_BODY:
            self._stop_waiting()
            self._patience = self.loop.call_later(BODY_SECONDS, self._give_up)
        elif self.conn.their_state is not h11.IDLE:
            self._stop_waiting()
        elif self._patience is None:
            # Not renewed by more bytes: headers that trickle in are late all the same.
            self._patience = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self) -> None:
        self._hang_up(408, "The request did not arrive in time: send it again, without pauses.")

    def _hang_up(self, status: int, sentence: str) -> None:
        self._stop_waiting()
        if self.transport.is_closing():
            return
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE, h11.ERROR):
            self.transport.write(write_refusal(status, sentence))
        self.transport.close()


def write_refusal(status: int, sentence: str) -> bytes:
    """A whole HTTP/1.1 response that ends its connection."""
    kind = HTTPStatus(status).phrase.lower().replace(" ", "_")
    body = json.dumps(write_native(Refused(kind, sentence))).encode()
    headers: dict[str, Any] = {
        "Content-Type": "application/json",
        "Content-Length": len(body),
        "Connection": "close",
    }
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body
