"""One HTTP request over a connection of its own, from an address of this machine's loopback. Knows no route."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.figures.async_tab import read_head


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply whose head has been read."""

    status: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def read(self) -> bytes:
        """The rest, until the server closes the connection; as it was sent, with its chunk sizes."""
        return await self.reader.read()

    async def read_json(self) -> Any:
        """The body of a reply that is not an event stream."""
        return json.loads(await self.read())


@asynccontextmanager
async def send_request(
    port: int, address: str, method: str, path: str, body: dict[str, Any] | None = None
) -> AsyncIterator[Reply]:
    """The reply to a request, whose connection is closed at the end of the block."""
    content = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20, local_addr=(address, 0))
    try:
        writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        status, _ = await read_head(reader)
        yield Reply(status, reader, writer)
    finally:
        writer.close()
