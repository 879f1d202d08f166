"""A scripted HTTP server: a test decides what each route replies, byte for byte, and sees what was asked, who left."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from anyio.from_thread import start_blocking_portal

DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True)
class Reply:
    status: int
    body: Any

    def write(self) -> bytes:
        content = json.dumps(self.body).encode()
        head = f"HTTP/1.1 {self.status} x\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        return head.encode() + content


@dataclass(frozen=True)
class Stream:
    """A stream: each piece is one write, an Event is waited for, and None cuts the connection."""

    pieces: Sequence[bytes | threading.Event | None]


def frame(**event: Any) -> bytes:
    return b"data: " + json.dumps(event).encode() + b"\n\n"


@dataclass
class ScriptedServer:
    """Replies with `routes`, by path; 404 elsewhere. `streams`, then `default`, to POSTs of a generating route."""

    routes: dict[str, Reply]
    default: Stream
    streams: list[Stream | Reply] = field(default_factory=list)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)
    left: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await self._answer(head.decode(), reader, writer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass  # the client has closed the connection, or the test is over
        finally:
            writer.close()

    async def _answer(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, path, _ = head.split(" ", 2)
        lengths = [line.split(":")[1] for line in head.lower().split("\r\n") if line.startswith("content-length:")]
        body = await reader.readexactly(int(lengths[0])) if lengths else b""
        self.headers.append(head)
        self.asked.append((path, json.loads(body) if body else None))
        reply: Reply | Stream = self.routes.get(path, Reply(404, {"detail": "Not Found"}))
        if method == "POST" and path not in self.routes:
            reply = self.streams.pop(0) if self.streams else self.default
        if isinstance(reply, Reply):
            writer.write(reply.write())
            await writer.drain()
        else:
            await self._stream(reply, reader, writer)

    async def _stream(self, stream: Stream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        gone = asyncio.ensure_future(reader.read(1))
        try:
            for piece in stream.pieces:
                if piece is None:
                    writer.transport.abort()
                    return
                if isinstance(piece, bytes):
                    writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                    await writer.drain()
                else:
                    await self._wait(piece, gone)
            writer.write(b"0\r\n\r\n")
        except ConnectionError:
            self.left.set()
            raise
        finally:
            gone.cancel()
            await asyncio.wait([gone])

    async def _wait(self, event: threading.Event, gone: "asyncio.Future[bytes]") -> None:
        while not event.is_set():
            done, _ = await asyncio.wait([gone], timeout=0.005)
            if done:
                raise ConnectionResetError


@asynccontextmanager
async def _listen(server: ScriptedServer) -> AsyncIterator[None]:
    listening = await asyncio.start_server(server.serve, "127.0.0.1", int(server.url.rpartition(":")[2] or 0))
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    with closing(listening):
        yield


@contextmanager
def serve_script(server: ScriptedServer) -> Iterator[ScriptedServer]:
    """Serve from a thread of this process until the block ends."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(_listen(server)):
        yield server
