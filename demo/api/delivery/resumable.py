"""Streams that are taken up again where they were cut: a client asks for one, and sends `Last-Event-ID` to go on.

WHATWG HTML, section 9.2. The events of other streams have no `id`, and their work stops with their connection.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from demo.api.delivery.streamed import NumberedStream, StreamedResponse
from demo.api.dialects.answer import Answer
from demo.api.dialects.dialect import Dialect
from demo.api.dialects.errors import Refused
from demo.errors import BadRequest
from demo.request import Request
from demo.run import Reader, Run

KEEP_SECONDS: Final = 30.0  # how long a stream that nobody reads is kept, and its run goes on
KEEP_OF_CLIENT: Final = 8
KEEP_STREAMS: Final = 128


@dataclass(slots=True)
class KeptStream:
    """A run and what writes it. Its `reader` keeps the run going without a connection."""

    run: Run
    dialect: Dialect
    reader: Reader
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    connections: int = 0
    expiry: asyncio.TimerHandle | None = None  # runs while nobody reads it


class StreamStore:
    """Bounded in number, for each client too, and in time. Used from one event loop."""

    def __init__(self, seconds: float = KEEP_SECONDS) -> None:
        self._kept: dict[str, KeptStream] = {}
        self._seconds = seconds

    def open(self, run: Run, dialect: Dialect) -> "ResumableStream":
        stream = KeptStream(run, dialect, run.attach())
        self._kept[stream.id] = stream
        self._expect_reader(stream)
        self._drop_excess()
        return ResumableStream(self, stream)

    def resume(self, last_event_id: str) -> "ResumableStream":
        """The rest of a stream, after that event. Raises Refused (404) for an unknown or expired one."""
        id, _, number = last_event_id.rpartition("-")
        if id not in self._kept or not (number.isascii() and number.isdigit()):
            raise Refused(
                "not_found",
                "There is no stream with this `Last-Event-ID`: it was not asked for with `X-Resumable: true`, or "
                f"nobody has read it for {self._seconds:g} s. Ask again without that header.",
            )
        return ResumableStream(self, self._kept[id], int(number[:9]))

    @contextmanager
    def connect(self, stream: KeptStream) -> Iterator[None]:
        """Somebody reads it until the block ends."""
        stream.connections += 1
        if stream.expiry is not None:
            stream.expiry.cancel()
        try:
            yield
        finally:
            stream.connections -= 1
            if not stream.connections:
                self._expect_reader(stream)

    def _expect_reader(self, stream: KeptStream) -> None:
        stream.expiry = asyncio.get_running_loop().call_later(self._seconds, self._drop, stream)

    def _drop_excess(self) -> None:
        kept = Counter[str | None]()
        for stream in reversed(tuple(self._kept.values())):
            kept[stream.run.request.client] += 1
            is_excess = kept[stream.run.request.client] > KEEP_OF_CLIENT or kept.total() > KEEP_STREAMS
            if is_excess and not stream.connections:
                self._drop(stream)

    def _drop(self, stream: KeptStream) -> None:
        """Forget it, and stop its run if that has not ended."""
        self._kept.pop(stream.id, None)
        stream.reader.close()


@dataclass(frozen=True, slots=True)
class Resumption:
    """What a request says: whether its stream is to be kept, or which one it goes on with."""

    store: StreamStore
    is_wanted: bool
    last_event_id: str

    def check(self, requests: Sequence[Request]) -> Sequence[Request]:
        """The requests. Raises BadRequest for several, whose events have no one order."""
        if self.is_wanted and len(requests) > 1:
            raise BadRequest(
                "A stream of several answers can't be taken up again: ask for one, or leave `X-Resumable` out."
            )
        return requests

    def open(self, runs: Sequence[Run], dialect: Dialect) -> StreamedResponse:
        return self.store.open(runs[0], dialect) if self.is_wanted else StreamedResponse(runs, dialect)


class ResumableStream(NumberedStream):
    """A kept stream from event `last_seen` on; after the last event the reply is 204."""

    def __init__(self, store: StreamStore, stream: KeptStream, last_seen: int = 0) -> None:
        super().__init__(stream.run, stream.dialect, last_seen, f"{stream.id}-")
        self._store, self._stream = store, stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._store.connect(self._stream):
            await super().__call__(scope, receive, send)

    async def _deliver(self) -> None:
        if self._last_seen and self._last_seen >= self._count_events():
            await self._respond(Response(status_code=204))
        else:
            await super()._deliver()

    def _count_events(self) -> float:
        """Of an ended stream; infinity before."""
        answer = Answer.of(self._stream.run)
        if answer.end is None:
            return inf
        return len(answer.tokens) + (1 if answer.error is not None else len(self._dialect.closing([answer])))
