"""A client that ends its side of a connection after its request: it still reads, or it has left. TCP says neither.

`nc -N` and some proxies do the first, which is to be answered; a closed socket does the second, whose work is to stop.
They differ once something is written to them: a closed socket answers with a reset.
"""

import asyncio
import socket
from typing import Final

import h11

from demo.api.dialects.sse import CONTENT_TYPE
from demo.api.traffic import CountedConnection

LOOK_SECONDS: Final = 0.01  # the first pause between two looks for the reset; each is twice as long as the last
LONGEST_PAUSE: Final = 0.5
UNKNOWN_SECONDS: Final = 1.0  # how long a client that can't be asked counts as one that reads
COMMENT: Final = b":\n\n"


class HalfClose:
    """Writes something that every client skips, and closes the connection where a reset comes back.

    That is a comment in an event stream, and before a reply an interim one (RFC 9110, 15.2), which HTTP/1.0 lacks: such
    a client counts as one that has left, unless its reply begins at once.
    """

    def __init__(
        self, connection: CountedConnection, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._connection = connection
        self._transport = transport
        self._loop = loop
        self._pause = LOOK_SECONDS
        self._timer: asyncio.TimerHandle | None = None
        if connection.our_state is h11.SEND_RESPONSE and connection.their_http_version == b"1.0":
            self._timer = loop.call_later(UNKNOWN_SECONDS, self._give_up)
            return
        self._probe()
        self._look()

    def stop(self) -> None:
        """The connection has ended."""
        if self._timer is not None:
            self._timer.cancel()

    def _give_up(self) -> None:
        if self._connection.our_state is h11.SEND_RESPONSE:
            self._transport.close()

    def _probe(self) -> None:
        event: h11.Event | None = None
        if self._connection.our_state is h11.SEND_RESPONSE:
            event = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
        elif self._connection.content_type.startswith(CONTENT_TYPE.encode()):
            event = h11.Data(data=COMMENT)
        if event is not None:
            self._transport.write(self._connection.send(event) or b"")

    def _look(self) -> None:
        connected: socket.socket = self._transport.get_extra_info("socket")
        if self._transport.is_closing() or connected.fileno() < 0:
            return
        if connected.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._transport.abort()
            return
        self._timer = self._loop.call_later(self._pause, self._look)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
