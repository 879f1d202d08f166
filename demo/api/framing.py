"""HTTP/1.1 as h11 reads and writes it, but without its ceremony for each piece of a body of unknown length."""

import h11

CHUNKED = b"\r\ntransfer-encoding: chunked\r\n"


class Framing(h11.Connection):
    """A server's side of one connection. Between two chunks no state can change, so none is looked up."""

    _is_chunked = False

    def send(self, event: h11.Event) -> bytes | None:  # type: ignore[override]  # h11 says more by overloads
        """What to write for `event`, as `h11.Connection.send` has it."""
        if self._is_chunked and type(event) is h11.Data and self.our_state is h11.SEND_BODY:
            # Nothing, for nothing: an empty chunk would end the body.
            return b"%x\r\n%b\r\n" % (len(event.data), event.data) if event.data else b""
        output = super().send(event)
        if type(event) is h11.Response:
            self._is_chunked = output is not None and CHUNKED in output.lower()
        return output
