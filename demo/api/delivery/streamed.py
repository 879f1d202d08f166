"""Streamed delivery: each token is sent when it is generated, as a Server-Sent Event."""

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any, Final

from starlette.datastructures import Headers

from demo.api.delivery.merge import merge_batches
from demo.api.delivery.run_response import RunResponse
from demo.api.dialects import sse
from demo.api.dialects.answer import Answer
from demo.api.dialects.dialect import Dialect
from demo.api.dialects.errors import Json
from demo.errors import DemoError
from demo.events import Done, Event, PromptProgress, Queued, Token
from demo.run import Run

KEEP_ALIVE_SECONDS: Final = 15.0
TICK_SECONDS: Final = 1.0  # between two looks at the silence


class StreamedResponse(RunResponse):
    """Tokens that are ready together share a write, each in an event of its own.

    Of several answers, only the first reports the progress of its prompt: an event is about one prompt.
    After `keep_alive` seconds without an event, KEEP_ALIVE_SECONDS by default, a comment is sent.
    """

    def __init__(self, runs: Sequence[Run], dialect: Dialect, keep_alive: float | None = None) -> None:
        super().__init__(runs, dialect)
        self._keep_alive_seconds = KEEP_ALIVE_SECONDS if keep_alive is None else keep_alive
        self._begun = False

    def _make_tasks(self) -> Sequence[Coroutine[Any, Any, None]]:
        return *super()._make_tasks(), self._send_keep_alives()

    async def _deliver(self) -> None:
        async for index, batch in merge_batches(self._readers):
            frames = b"".join(self._frame_batch(self._answers[index], index, batch))
            error = self._answers[index].error
            if error is not None and not self._begun and not frames:
                await self._refuse(error)
                return
            if frames:
                await self._write(frames)
            if error is not None:
                await self._write(self._frame_error(error, self._answers[index]), more=False)
                return
        await self._write(self._frame_closing() + self._dialect.ending, more=False)

    def _frame_batch(self, answer: Answer, index: int, batch: Sequence[Event]) -> Iterator[bytes]:
        for event, following in zip(batch, (*batch[1:], None), strict=True):
            if answer.end is None:
                answer.add(event)
            if isinstance(event, PromptProgress | Queued) and index == 0:
                yield self._frame_progress(self._dialect.progress(answer, event))
            elif isinstance(event, Token):
                is_last = isinstance(following, Done) and following.finish_reason != "cancelled"
                if isinstance(following, Done):
                    answer.add(following)  # the last chunk holds the finish reason
                yield self._frame_token(event, self._dialect.chunk(index, answer, event, is_last))

    def _frame_progress(self, progress: Json | str | None) -> bytes:
        if progress is None:
            return b""
        return sse.frame_comment(progress) if isinstance(progress, str) else sse.frame(progress)

    def _frame_token(self, token: Token, chunk: Json) -> bytes:
        return sse.frame(chunk)

    def _frame_closing(self) -> bytes:
        return b"".join(sse.frame(event) for event in self._dialect.closing(self._answers))

    def _frame_error(self, error: DemoError, answer: Answer) -> bytes:
        return sse.frame(self._dialect.error(error))

    async def _write(self, body: bytes, more: bool = True) -> None:
        # The headers wait for the first write: until then an error still has its own status.
        if not self._begun:
            self._begun = True
            headers = Headers({"Content-Type": sse.CONTENT_TYPE, **sse.HEADERS}).raw
            await self._transmit({"type": "http.response.start", "status": 200, "headers": headers})
        await self._transmit({"type": "http.response.body", "body": body, "more_body": more})

    async def _send_keep_alives(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            if self._watch.silence > self._keep_alive_seconds:
                await self._write(sse.KEEP_ALIVE)


class NumberedStream(StreamedResponse):
    """Reads a run from its beginning and skips the events up to number `last_seen`: those that the client has.

    There is one for each token, then those behind them. The `id` of an event is its number behind `prefix`.
    """

    def __init__(self, run: Run, dialect: Dialect, last_seen: int, prefix: str = "") -> None:
        super().__init__([run], dialect)
        self._last_seen, self._prefix = last_seen, prefix

    def _frame_progress(self, progress: Json | str | None) -> bytes:
        return b"" if self._last_seen else super()._frame_progress(progress)

    def _frame_token(self, token: Token, chunk: Json) -> bytes:
        return self._frame(chunk, token.index)

    def _frame_closing(self) -> bytes:
        number = len(self._answers[0].tokens) + 1
        events = enumerate(self._dialect.closing(self._answers), start=number)
        return b"".join(self._frame(event, number) for number, event in events)

    def _frame_error(self, error: DemoError, answer: Answer) -> bytes:
        return self._frame(self._dialect.error(error), len(answer.tokens) + 1)

    def _frame(self, event: Json, number: int) -> bytes:
        return b"" if number <= self._last_seen else sse.frame(event, f"{self._prefix}{number}")
