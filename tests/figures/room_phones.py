"""Scripted phones of a room: EventSource clients on raw sockets in one process, with nothing parsed before the end.

    python -m tests.figures.room_phones PORT CODE PHONES

prints `joined SECONDS` once every phone has its first event, and after the round's run has ended one line of JSON: for
each phone its arm, its text, and when it had how many tokens. Times are of `time.perf_counter()`, which on Linux is one
clock for all processes.
"""

import asyncio
import json
import sys
import time
from bisect import bisect_left
from collections.abc import Iterator
from typing import Any, Final, TypedDict

END: Final = b"event: end\n"
STATE: Final = b"event: state\n"


class Report(TypedDict):
    """What one phone received. `arrivals`: when it had so many tokens."""

    arm: str
    text: str
    arrivals: list[tuple[float, int]]


class Phone(asyncio.Protocol):
    """Joins when it has connected, then reads its events."""

    def __init__(self, code: str) -> None:
        loop = asyncio.get_running_loop()
        self.joined: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        self._code, self._reply = code, b""
        self._follows = False
        self._pieces: list[tuple[float, bytes]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(f"POST /rooms/{self._code}/phones HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        if not self._follows:
            self._read_place(data)
            return
        self._pieces.append((time.perf_counter(), data))
        if not self.joined.done() and STATE in data:
            self.joined.set_result(None)
        if END in data and not self.ended.done():
            self.ended.set_result(None)

    def close(self) -> None:
        self._transport.close()

    def report(self) -> Report:
        """What it has received."""
        arm, text, arrivals = "", "", []
        for at, name, data in self._read_events():
            if name == "round":
                arm = data["arm"]
            elif name == "text":
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
            self._transport.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n".encode())

    def _read_events(self) -> Iterator[tuple[float, str, Any]]:
        """Each event with the moment at which its last byte arrived."""
        received = b"".join(piece for _, piece in self._pieces)
        ends, times = [], [at for at, _ in self._pieces]
        for _, piece in self._pieces:
            ends.append((ends[-1] if ends else 0) + len(piece))
        position = received.index(b"\r\n\r\n") + 4
        while (line := received.find(b"\r\n", position)) > 0 and (length := int(received[position:line], 16)):
            position = line + 2 + length + 2
            at = times[bisect_left(ends, position)] if position <= ends[-1] else times[-1]
            for block in received[line + 2 : line + 2 + length].decode().split("\n\n"):
                fields = dict(each.split(": ", 1) for each in block.split("\n") if ": " in each)
                if "event" in fields:
                    yield at, fields["event"], json.loads(fields["data"])


async def follow(port: int, code: str, count: int) -> list[Report]:
    """All phones, until each has been told of the run's end."""
    loop, begin = asyncio.get_running_loop(), time.perf_counter()
    connecting = [loop.create_connection(lambda: Phone(code), "127.0.0.1", port) for _ in range(count)]
    phones = [phone for _, phone in await asyncio.gather(*connecting)]
    await asyncio.gather(*(phone.joined for phone in phones))
    print("joined", time.perf_counter() - begin, flush=True)
    await asyncio.gather(*(phone.ended for phone in phones))
    for phone in phones:
        phone.close()
    return [phone.report() for phone in phones]


def main() -> None:
    """Print when all have joined, and then what they received."""
    port, code, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    print(json.dumps(asyncio.run(follow(port, code, count))), flush=True)


if __name__ == "__main__":
    main()
