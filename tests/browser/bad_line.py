"""A TCP relay in front of a server, which a test cuts and mends: Chromium's own offline mode keeps open streams."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit


class BadLine:
    """Listens on a port of its own; `url` is the server's behind it."""

    def __init__(self, server: str) -> None:
        place = urlsplit(server)
        self._server = (place.hostname or "", place.port or 0)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._is_cut = False
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def serve(self) -> None:
        """Relay every connection until `close`."""
        while True:
            try:
                inside, _ = self._listener.accept()
            except OSError:
                return
            if self._is_cut:
                inside.close()
                continue
            outside = socket.create_connection(self._server)
            self._open += [inside, outside]
            for source, sink in ((inside, outside), (outside, inside)):
                threading.Thread(target=_copy, args=(source, sink), daemon=True).start()

    def cut(self) -> None:
        """Every connection ends, and each new one at once."""
        self._is_cut = True
        for end in self._open:
            _end(end)
        self._open.clear()

    def mend(self) -> None:
        self._is_cut = False

    def close(self) -> None:
        _end(self._listener)
        self.cut()


@contextmanager
def open_line(server: str) -> Iterator[BadLine]:
    """A line to `server` until the block ends."""
    line = BadLine(server)
    thread = threading.Thread(target=line.serve, daemon=True)
    thread.start()
    yield line
    line.close()
    thread.join(20)


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    _end(source)
    _end(sink)


def _end(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
