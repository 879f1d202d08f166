"""HTTP/1.1 as h11 reads and writes it, but without its ceremony for each piece of a body of unknown length.

Counts the bytes of each request and of its reply.
"""

from typing import Any

import h11

from demo.api.traffic import Traffic

CHUNKED = b"\r\ntransfer-encoding: chunked\r\n"


class Framing(h11.Connection):
    """A server's side of one connection. Between two chunks no state can change, so none is looked up."""

    _is_chunked = False

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.traffic = Traffic()  # of the request that is being read or answered

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """What has been received, as `h11.Connection.next_event` has it."""
        unread = len(self.trailing_data[0])
        event = super().next_event()
        if type(event) is h11.Request:
            self.traffic = Traffic()
        self.traffic.request += unread - len(self.trailing_data[0])
        return event

    def send(self, event: h11.Event) -> bytes | None:  # type: ignore[override]  # h11 says more by overloads
        """What to write for `event`, as `h11.Connection.send` has it."""
        output = self._frame(event)
        self.traffic.reply += len(output or b"")
        return output

    def _frame(self, event: h11.Event) -> bytes | None:
        if self._is_chunked and type(event) is h11.Data and self.our_state is h11.SEND_BODY:
            # Nothing, for nothing: an empty chunk would end the body.
            return b"%x\r\n%b\r\n" % (len(event.data), event.data) if event.data else b""
        output = super().send(event)
        if type(event) is h11.Response:
            self._is_chunked = output is not None and CHUNKED in output.lower()
        return output
