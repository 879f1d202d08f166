"""Scripted phones of a room: EventSource clients on raw sockets in one process, with nothing parsed before the end.

They share the cores with the engine that they measure, so they are as cheap as can be: no event loop but `epoll`.

    python -m tests.figures.room_phones PORT CODE PHONES

prints `joined SECONDS` once every phone has its first event, and after the round's run has ended one line of JSON: for
each phone its arm, its text, and when it had how many tokens. Times are of `time.perf_counter()`, which on Linux is one
clock for all processes.
"""

import json
import selectors
import socket
import sys
import time
from collections.abc import Callable
from typing import Final, TypedDict

from demo.bench.recorded import parse_response
from demo.bench.sample import TimedResponse, read_events

END: Final = b"event: end\n"
STATE: Final = b"event: state\n"
LONGEST_SILENCE: Final = 60.0  # seconds


class Report(TypedDict):
    """What one phone received. `arrivals`: when it had so many tokens."""

    arm: str
    text: str
    arrivals: list[tuple[float, int]]


class Phone:
    """Joins when it has connected, then reads its events."""

    def __init__(self, port: int, code: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.joined = self.ended = False
        self._code, self._reply = code, b""
        self._follows = False
        self._pieces: list[tuple[float, bytes]] = []
        self.socket.sendall(f"POST /rooms/{code}/phones HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())

    def read(self) -> None:
        """Take what has arrived. Raises ConnectionError where the server has closed the connection before the end."""
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionError("A phone's connection was closed.")
        if not self._follows:
            self._read_place(data)
            return
        self._pieces.append((time.perf_counter(), data))
        self.joined = self.joined or STATE in data
        self.ended = self.ended or END in data

    def report(self) -> Report:
        """What it has received. The state at the beginning and each round have its arm."""
        response = parse_response(0.0, 0.0, self._pieces, is_cut=True)
        assert isinstance(response, TimedResponse), response
        arm, text, arrivals = "", "", []
        for at, data in read_events(response):
            if "arm" in data:
                arm = data["arm"]
            elif "text" in data:
                text += data["text"]
                arrivals.append((at, data["tokens"]))
        return {"arm": arm, "text": text, "arrivals": arrivals}

    def _read_place(self, data: bytes) -> None:
        self._reply += data
        head, _, body = self._reply.partition(b"\r\n\r\n")
        if body.endswith(b"}"):
            assert b" 201 " in head, self._reply
            self._follows = True
            path = f"/rooms/{self._code}/phones/{json.loads(body)['phone']}/events"
            self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n".encode())


def follow(port: int, code: str, count: int) -> list[Report]:
    """All phones, until each has been told of the run's end."""
    begin = time.perf_counter()
    phones = [Phone(port, code) for _ in range(count)]
    with selectors.DefaultSelector() as selector:
        for phone in phones:
            selector.register(phone.socket, selectors.EVENT_READ, phone)
        read_until(selector, lambda: all(phone.joined for phone in phones))
        print("joined", time.perf_counter() - begin, flush=True)
        read_until(selector, lambda: all(phone.ended for phone in phones))
    for phone in phones:
        phone.socket.close()
    return [phone.report() for phone in phones]


def read_until(selector: selectors.BaseSelector, is_over: Callable[[], bool]) -> None:
    """Have every phone read what arrives. Raises TimeoutError where nothing does for long."""
    while not is_over():
        if not (ready := selector.select(LONGEST_SILENCE)):
            raise TimeoutError("The phones are told nothing any more.")
        for key, _ in ready:
            key.data.read()


def main() -> None:
    port, code, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    print(json.dumps(follow(port, code, count)), flush=True)


if __name__ == "__main__":
    main()
