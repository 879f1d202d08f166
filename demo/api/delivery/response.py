"""Responses fed by runs, streamed or whole. However one ends, its readers are closed, and with the last one the work.

Knows no dialect: one turns tokens and answers into JSON. A whole reply is the stream, read to its end.
"""

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from math import inf
from typing import Any, Final, Protocol

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from demo.api.dialects import sse
from demo.api.dialects.answer import Answer
from demo.api.dialects.errors import Json, respond
from demo.api.middleware.root_path import route_of
from demo.errors import DemoError
from demo.events import Done, Event, PromptProgress, Token
from demo.run import Reader, Run

KEEP_ALIVE_SECONDS: Final = 15.0
STALL_SECONDS: Final = 30.0  # how long a client may leave unread what it was sent
TICK_SECONDS: Final = 1.0
COALESCE_SECONDS: Final = 0.01  # tokens that come faster share a write; none waits for longer


class Dialect(Protocol):
    """How one kind of client wants to be told. Pure: from values to JSON."""

    @property
    def ending(self) -> bytes:
        """What follows the last event of a stream."""

    def chunk(self, index: int, answer: Answer, token: Token, is_last: bool) -> Json:
        """The event for one token of answer number `index`."""

    def progress(self, answer: Answer, progress: PromptProgress) -> Json | str | None:
        """An event, or a comment, for so much of the prompt that has been read; None where it was not asked for."""

    def close(self, answers: Sequence[Answer]) -> Sequence[Json]:
        """Events after the last token of all answers."""

    def whole(self, answers: Sequence[Answer]) -> Any:
        """The body of a whole reply."""

    def headers(self, answers: Sequence[Answer]) -> dict[str, str]:
        """Headers of a whole reply."""

    def error(self, error: DemoError) -> Json:
        """The event that ends a stream which can't go on."""


class RunResponse(Response, ABC):
    """An ASGI response that holds a reader of each run until it has ended: told in full, cut off, or never begun.

    A client that leaves ends it, and so does one that leaves what it was sent unread for `STALL_SECONDS`.
    """

    def __init__(self, runs: Sequence[Run], dialect: Dialect) -> None:
        super().__init__()
        self._dialect = dialect
        self._readers = [run.attach() for run in runs]
        self._answers = [Answer(run) for run in runs]
        self._sending_since: float | None = None
        self._begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["answers"] = self._answers
        self._path, self._send, self._clock = route_of(scope), send, asyncio.get_running_loop().time
        self._sent_at = self._clock()
        tasks = [asyncio.ensure_future(each) for each in (wait_until_left(receive), self._beat(), self._tell())]
        try:
            while not await _any_done(tasks) and not self._is_stalled():
                pass
        finally:
            # First of all nothing more is said: a reader that is closed looks like an answer at its end.
            for task in tasks:
                task.cancel()
            for reader in self._readers:
                reader.close()
            for task in tasks:
                await _end(task)

    @abstractmethod
    async def _tell(self) -> None:
        """Read the runs and send."""

    async def _keep_alive(self) -> None:
        """Called about once a second."""

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            await self._keep_alive()

    def _is_stalled(self) -> bool:
        return self._sending_since is not None and self._clock() - self._sending_since > STALL_SECONDS

    async def _refuse(self, error: DemoError) -> None:
        await respond(self._path, error)({"type": "http"}, _ignore, self._transmit)

    async def _write(self, body: bytes, more: bool) -> None:
        await self._transmit({"type": "http.response.body", "body": body, "more_body": more})

    async def _transmit(self, message: Message) -> None:
        self._sending_since = self._clock()
        await self._send(message)
        self._sending_since, self._sent_at = None, self._clock()


class StreamedResponse(RunResponse):
    """Each token as it comes. What is ready together is written together, each event still its own.

    Of several answers, only the first one's prompt has its progress told: one event is of one prompt.
    Tokens that follow each other in less than `COALESCE_SECONDS` are written once in that time: each write wakes this
    loop and the client, on cores that the model may be using. The first token and the end never wait.

    After `keep_alive` seconds without news, `KEEP_ALIVE_SECONDS` unless given, a comment is sent.
    """

    def __init__(self, runs: Sequence[Run], dialect: Dialect, keep_alive: float | None = None) -> None:
        super().__init__(runs, dialect)
        self._silence = KEEP_ALIVE_SECONDS if keep_alive is None else keep_alive

    async def _tell(self) -> None:
        async for index, batch in _merge(self._readers):
            frames = b"".join(self._frame_tokens(self._answers[index], index, batch))
            error = self._answers[index].error
            if error is not None and not self._begun and not frames:
                await self._refuse(error)
                return
            if frames:
                await self._begin()
                await self._write(frames, more=True)
            if error is not None:
                await self._write(self._frame_error(error, self._answers[index]), more=False)
                return
        await self._begin()  # a stream that is taken up again behind its last token has none to tell
        closing = b"".join(sse.frame(event) for event in self._dialect.close(self._answers))
        await self._write(closing + self._dialect.ending, more=False)

    def _frame_tokens(self, answer: Answer, index: int, batch: Sequence[Event]) -> Iterator[bytes]:
        for event, following in zip(batch, (*batch[1:], None), strict=True):
            if answer.end is None:
                answer.add(event)
            if isinstance(event, PromptProgress) and index == 0:
                yield self._frame_progress(self._dialect.progress(answer, event))
            elif isinstance(event, Token):
                is_last = isinstance(following, Done) and following.finish_reason != "cancelled"
                if isinstance(following, Done):
                    answer.add(following)
                yield self._frame_token(event, self._dialect.chunk(index, answer, event, is_last))

    def _frame_progress(self, told: Json | str | None) -> bytes:
        if told is None:
            return b""
        return sse.frame_comment(told) if isinstance(told, str) else sse.frame(told)

    def _frame_token(self, token: Token, chunk: Json) -> bytes:
        return sse.frame(chunk)

    def _frame_error(self, error: DemoError, answer: Answer) -> bytes:
        return sse.frame(self._dialect.error(error))

    async def _begin(self) -> None:
        """Send the headers, once: so that a status is true, not before a token or the progress that was asked for."""
        if self._begun:
            return
        self._begun = True
        headers = {"Content-Type": sse.CONTENT_TYPE, **sse.HEADERS}
        await self._transmit({"type": "http.response.start", "status": 200, "headers": _encode(headers)})

    async def _keep_alive(self) -> None:
        if self._sending_since is None and self._clock() - self._sent_at > self._silence:
            await self._begin()
            await self._write(sse.KEEP_ALIVE, more=True)


class WholeResponse(RunResponse):
    """Everything at the end, in one piece."""

    async def _tell(self) -> None:
        async for index, batch in _merge(self._readers):
            for event in batch:
                self._answers[index].add(event)
        for answer in self._answers:
            if answer.error is not None:
                await self._refuse(answer.error)
                return
        body = json.dumps(self._dialect.whole(self._answers), ensure_ascii=False, separators=(",", ":")).encode()
        headers = {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **self._dialect.headers(self._answers),
        }
        await self._transmit({"type": "http.response.start", "status": 200, "headers": _encode(headers)})
        await self._write(body, more=False)


async def _merge(readers: Sequence[Reader]) -> AsyncIterator[tuple[int, Sequence[Event]]]:
    """What each reader gets, with its number, as it comes."""
    if len(readers) == 1:
        async for batch in _coalesce(readers[0]):
            yield 0, batch
        return
    arrivals: asyncio.Queue[tuple[int, Sequence[Event]] | None] = asyncio.Queue()

    async def follow(index: int, reader: Reader) -> None:
        try:
            async for batch in _coalesce(reader):
                arrivals.put_nowait((index, batch))
        finally:
            arrivals.put_nowait(None)

    following = [asyncio.ensure_future(follow(index, reader)) for index, reader in enumerate(readers)]
    try:
        left = len(readers)
        while left:
            arrival = await arrivals.get()
            if arrival is None:
                left -= 1
            else:
                yield arrival
    finally:
        for task in following:
            await _end(task)


async def _coalesce(reader: Reader) -> AsyncIterator[Sequence[Event]]:
    """A reader's batches; while tokens come fast, those of the same `COALESCE_SECONDS` by the loop's clock in one."""
    clock = asyncio.get_running_loop().time
    latest, gap = -inf, inf
    async for batch in reader:
        yield batch
        for token in batch:
            if isinstance(token, Token):
                gap, latest = token.time - latest, token.time
        if gap < COALESCE_SECONDS:
            # Until a moment that all readers share, so that they wake in one turn of the loop.
            await reader.coalesce(COALESCE_SECONDS - clock() % COALESCE_SECONDS)


async def _any_done(tasks: "Sequence[asyncio.Task[None]]") -> bool:
    """Whether one of them is done, after a tick at the latest."""
    done, _ = await asyncio.wait(tasks, timeout=TICK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    return bool(done)


async def wait_until_left(receive: Receive) -> None:
    """Returns when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _ignore() -> dict[str, Any]:
    raise AssertionError("a finished response listens to nobody")


async def _end(task: "asyncio.Task[None]") -> None:
    """Cancel what still goes on, and raise what went wrong in it."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.result()


def _encode(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
