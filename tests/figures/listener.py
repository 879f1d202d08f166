"""A client that costs next to nothing: many streams on bare sockets, one process, nothing parsed before the end.

    python -m tests.figures.listener PORT STREAMS < REQUEST

prints how many events came, and the seconds from the first request to the last byte. The request is one on whose
answer the server closes the connection.
"""

import selectors
import socket
import sys
import time


def listen(port: int, streams: int, request: bytes) -> tuple[bytes, float]:
    """All that came, of whichever stream, and how long that took."""
    begin, selector, received = time.perf_counter(), selectors.DefaultSelector(), []
    for _ in range(streams):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(request)
        selector.register(connection, selectors.EVENT_READ)
    while selector.get_map():
        for key, _ in selector.select():
            assert isinstance(key.fileobj, socket.socket)
            received.append(key.fileobj.recv(65536))
            if not received[-1]:
                selector.unregister(key.fileobj)
                key.fileobj.close()
    return b"".join(received), time.perf_counter() - begin


def main() -> None:
    """Listen, and tell."""
    received, seconds = listen(int(sys.argv[1]), int(sys.argv[2]), sys.stdin.buffer.read())
    print(received.count(b"data: "), seconds)


if __name__ == "__main__":
    main()
