"""The cheapest client: concurrent streams on raw sockets in one thread, with nothing parsed before the end.

    python -m tests.figures.listener PORT STREAMS < REQUEST

prints the number of events, and the seconds from the first request to the last byte. REQUEST must have the server
close the connection.
"""

import selectors
import socket
import sys
import time


def receive(port: int, streams: int, request: bytes) -> tuple[bytes, float]:
    """The bytes of all streams, and the seconds that they took."""
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
    received, seconds = receive(int(sys.argv[1]), int(sys.argv[2]), sys.stdin.buffer.read())
    print(received.count(b"data: "), seconds)


if __name__ == "__main__":
    main()
