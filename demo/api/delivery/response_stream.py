"""A response's run as the numbered events of OpenAI's Responses API, from any of them on."""

from collections.abc import Iterable

from demo.api.delivery.merge import merge_batches
from demo.api.delivery.streamed import StreamedResponse
from demo.api.dialects import sse
from demo.api.dialects.responses import ResponseEvents, ResponsesDialect
from demo.api.openapi.response_replies import ResponseEvent
from demo.events import Event, Token
from demo.run import Run


class ResponseStream(StreamedResponse):
    """Reads the run from its beginning and skips the events up to number `starting_after`.

    Its first event precedes the first token, since it tells the id by which a cut stream is taken up again: what fails
    afterwards is an event too.
    """

    def __init__(self, run: Run, dialect: ResponsesDialect, starting_after: int = -1) -> None:
        super().__init__([run], dialect)
        self._events = ResponseEvents(dialect)
        self._starting_after = starting_after

    async def _deliver(self) -> None:
        (answer,) = self._answers
        await self._write(self._frame(self._events.begin(answer)))
        frames = b""
        async for _, batch in merge_batches(self._readers):
            frames = b"".join(self._frame(self._read(event)) for event in batch)
            if answer.end is None and frames:
                await self._write(frames)
        await self._write(frames + self._frame(self._events.end(answer)), more=False)

    def _read(self, event: Event) -> Iterable[ResponseEvent]:
        (answer,) = self._answers
        answer.add(event)
        return self._events.add(answer) if isinstance(event, Token) else ()

    def _frame(self, events: Iterable[ResponseEvent]) -> bytes:
        later = (event for event in events if event["sequence_number"] > self._starting_after)
        return b"".join(sse.frame_named(event["type"], event) for event in later)
