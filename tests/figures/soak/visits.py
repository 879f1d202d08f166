"""What visitors do: each kind of visit is one function, from its first request to its last.

A visit returns its outcome in one word, raises Refused where the server refused it in order, and VisitFailed or
whatever went wrong otherwise.
"""

import asyncio
import json
import random
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from demo.ui.view.options import REAL_SPEED
from tests.figures.tab import Tab, read_head, write_request

QUESTIONS: Final = ("How do you make cheese?", "Why is the sky blue?", "Tell me a story about a lighthouse. 🗼")
LENGTHS: Final = (1, 16, 48, 128)  # new tokens
CLICK_SECONDS: Final = 90.0
ERRORS: Final = (b'\ndata: {"error"', b'\ndata:{"error"', b'"outcome":"failed"')  # of a stream, and of a crowd's client
POLL_SECONDS: Final = 0.2
REFUSALS: Final = (429, 503)  # statuses that ask the client to come again
NO_LINGER: Final = struct.pack("ii", 1, 0)  # closing such a socket resets its connection


class VisitFailed(Exception):
    """A visit was not answered as it must be: the sentence says what came instead."""


class Refused(Exception):
    """The server refused a visit in order; the text is the kind of the refusal."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply whose head has been read."""

    status: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def read(self) -> bytes:
        """The rest, until the server closes the connection, with its chunk sizes.

        Raises Refused for a refusal in order, and VisitFailed for any other status than 200 or 202.
        """
        content = await self.reader.read()
        if self.status in REFUSALS:
            raise Refused(f"{self.status} {json.loads(content)['error_type']}")
        if self.status not in (200, 202):
            raise VisitFailed(f"status {self.status}: {content[:200]!r}")
        return content


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody at `address`; `config` is what Gradio's client reads of the page."""

    port: int
    config: dict[str, Any]
    address: str
    random: random.Random

    @asynccontextmanager
    async def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> AsyncIterator[Reply]:
        """The reply to a request, whose connection is closed at the end of the block."""
        content = b"" if body is None else json.dumps(body).encode()
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, limit=2**20, local_addr=(self.address, 0)
        )
        try:
            writer.write(write_request(method, path, content, "Connection: close\r\n"))
            status, _ = await read_head(reader)
            yield Reply(status, reader, writer)
        finally:
            writer.close()

    def write_native(self, length: int | None = None) -> dict[str, Any]:
        """A body of text-generation-inference's."""
        length = length or self.random.choice(LENGTHS)
        return {
            "inputs": self.random.choice(QUESTIONS),
            "parameters": {"max_new_tokens": length, "ignore_eos": True, "details": True},
        }

    def write_chat(self, stream: bool) -> dict[str, Any]:
        """A body of OpenAI's."""
        messages = [{"role": "user", "content": self.random.choice(QUESTIONS)}]
        return {"messages": messages, "max_tokens": self.random.choice(LENGTHS), "stream": stream}


Visit = Callable[[Visitor], Awaitable[str]]


async def stream_chat(visitor: Visitor) -> str:
    """A streamed answer, read to its end."""
    async with visitor.send("POST", "/v1/chat/completions", visitor.write_chat(stream=True)) as reply:
        return _require_end(await reply.read(), b"[DONE]")


async def read_whole(visitor: Visitor) -> str:
    """A whole answer."""
    async with visitor.send("POST", "/v1/chat/completions", visitor.write_chat(stream=False)) as reply:
        return _require_end(await reply.read(), b'"finish_reason"')


async def leave(visitor: Visitor) -> str:
    """A streamed answer whose reader closes the connection in the middle."""
    async with visitor.send("POST", "/generate_stream", visitor.write_native(length=512)) as reply:
        await _read_some(visitor, reply)
    return "left"


async def reset(visitor: Visitor) -> str:
    """The same with a TCP reset."""
    async with visitor.send("POST", "/generate_stream", visitor.write_native(length=512)) as reply:
        await _read_some(visitor, reply)
        raw = reply.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        reply.writer.transport.abort()
    return "left"


async def leave_unread(visitor: Visitor) -> str:
    """A whole answer that nobody waits for."""
    try:
        async with asyncio.timeout(visitor.random.uniform(0.0, 0.5)):
            async with visitor.send("POST", "/generate", visitor.write_native(length=512)) as reply:
                await reply.read()
    except TimeoutError:
        return "left"
    return "answered"


async def poll_job(visitor: Visitor) -> str:
    """A job, polled to its end."""
    job = await _begin_job(visitor)
    while job["state"] in ("queued", "running"):
        await asyncio.sleep(POLL_SECONDS)
        async with visitor.send("GET", f"/jobs/{job['id']}?since={job['next']}") as reply:
            job = json.loads(await reply.read())
    if job["state"] != "done":
        raise VisitFailed(f"the job ended as {job['state']}: {job['error']}")
    return "answered"


async def cancel_job(visitor: Visitor) -> str:
    """A job that is cancelled, or forgotten."""
    job = await _begin_job(visitor, length=512)
    if visitor.random.random() < 0.5:
        return "forgotten"
    async with visitor.send("DELETE", f"/jobs/{job['id']}") as reply:
        await reply.read()
    return "left"


async def follow_job(visitor: Visitor) -> str:
    """A job whose events are followed to their end, over two connections."""
    job = await _begin_job(visitor)
    path = f"/jobs/{job['id']}/events"
    async with visitor.send("GET", path) as reply:
        await _read_some(visitor, reply)
    async with visitor.send("GET", path) as reply:
        return _require_end(await reply.read(), b'"generated_text"')


async def gather_crowd(visitor: Visitor) -> str:
    """A load test of the page."""
    plan = {"clients": 8, "limit": 2, "retry": True, "max_new_tokens": 8}
    async with visitor.send("POST", "/crowds", plan) as reply:
        return _require_end(await reply.read(), b'"ended"')


async def open_page(visitor: Visitor) -> str:
    """A tab that clicks Generate a few times, and is closed; sometimes in the middle of an answer."""
    tab = Tab(visitor.port, visitor.config, visitor.address)
    try:
        await tab.open()
        tab.values[tab.ids["speed"]] = REAL_SPEED
        tab.values[tab.ids["length"]] = max(16, visitor.random.choice(LENGTHS))
        for _ in range(visitor.random.randint(0, 3)):
            tab.values[tab.ids["prompt"]] = visitor.random.choice(QUESTIONS)
            if visitor.random.random() < 0.25:
                return await _close_in_the_middle(visitor, tab)
            await _click(tab)
    finally:
        await tab.close()
    return "answered"


async def _click(tab: Tab) -> None:
    marks = await tab.click("generate", CLICK_SECONDS)
    if marks.errors:
        raise VisitFailed(marks.errors[0][:300])
    if marks.text is None or marks.whole is None:
        raise Refused("on the page")  # the panes say why


async def _close_in_the_middle(visitor: Visitor, tab: Tab) -> str:
    click = asyncio.create_task(tab.click("generate", CLICK_SECONDS))
    await asyncio.sleep(visitor.random.uniform(0.0, 0.6))
    click.cancel()
    await asyncio.wait({click})
    return "left"


async def _begin_job(visitor: Visitor, length: int | None = None) -> Any:
    async with visitor.send("POST", "/jobs", visitor.write_native(length)) as reply:
        return json.loads(await reply.read())


async def _read_some(visitor: Visitor, reply: Reply) -> None:
    if reply.status != 200:
        await reply.read()
    for _ in range(visitor.random.randint(0, 40)):
        await reply.reader.readline()


def _require_end(content: bytes, mark: bytes) -> str:
    if mark not in content or any(error in content for error in ERRORS):
        raise VisitFailed(f"the answer ends with {content[-200:]!r}")
    return "answered"


VISITS: Final[dict[str, tuple[Visit, int]]] = {  # with how often each is paid, among all
    "page": (open_page, 6),
    "stream": (stream_chat, 6),
    "whole": (read_whole, 4),
    "leaver": (leave, 3),
    "reset": (reset, 3),
    "unread whole": (leave_unread, 2),
    "polled job": (poll_job, 3),
    "followed job": (follow_job, 2),
    "cancelled job": (cancel_job, 2),
    "crowd": (gather_crowd, 1),
}
