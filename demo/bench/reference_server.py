"""A server of known latency, in its own process: what the benchmark measures to learn how wrong it is itself.

It streams in the chat dialect on a fixed schedule. Each event holds the time at which it was written and the seconds
since its request was read, by `time.perf_counter`, which on one machine is the same clock in every process.
"""

import asyncio
import json
import time
from typing import Final

TOKENS: Final = 16
DELAY: Final = 0.05  # seconds until the first token
GAP: Final = 0.02
_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
)


class Connection(asyncio.Protocol):
    """One request, which fits into one read; then the connection is closed. A protocol stamps earlier than streams."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._answering = asyncio.ensure_future(answer(self._transport, time.perf_counter()))


async def answer(transport: asyncio.WriteTransport, begun: float) -> None:
    """The stream of a request that was read at `begun`."""
    transport.write(_HEAD)
    for index in range(TOKENS):
        await asyncio.sleep(begun + DELAY + GAP * index - time.perf_counter())
        now = time.perf_counter()
        event = {"choices": [{"delta": {"content": "word "}}], "at": now, "since": now - begun}
        _write_chunk(transport, f"data: {json.dumps(event)}\n\n".encode())
    _write_chunk(transport, b"data: [DONE]\n\n")
    transport.write(b"0\r\n\r\n")
    transport.close()


def _write_chunk(transport: asyncio.WriteTransport, payload: bytes) -> None:
    transport.write(b"%x\r\n%s\r\n" % (len(payload), payload))


async def serve() -> None:
    """Print the port, then answer until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
