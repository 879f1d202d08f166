"""The events of one response of OpenAI's Responses API, numbered: a function of its run's log alone. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal, TypeAlias

from demo.api.dialects.answer import Answer
from demo.api.dialects.responses import ResponsesDialect, write_text
from demo.api.openapi.response_replies import OutputItem, OutputText, ReasoningText, ResponseEvent
from demo.reasoning import Part, join_kind

Side: TypeAlias = Literal["reasoning", "answer"]

SIDES: Final[tuple[Side, ...]] = ("reasoning", "answer")  # in the order of the output
TEXT_EVENTS: Final[dict[Side, str]] = {"reasoning": "response.reasoning_text", "answer": "response.output_text"}


class ResponseEvents:
    """Numbers the events of one response, from 0 for a reader of its run from the beginning."""

    def __init__(self, dialect: ResponsesDialect) -> None:
        self._dialect = dialect
        self._number = 0
        self._indices: dict[Side, int] = {}  # of the items that have begun, in the output
        self._open: Side | None = None
        self._sent = 0  # tokens whose parts have been sent, as far as they were known then

    def begin(self, answer: Answer) -> Iterator[ResponseEvent]:
        """Those before the prompt is read."""
        opened: Any = {**self._dialect.write(Answer(answer.run)), "status": "in_progress"}
        yield self._make("response.created", response=opened)
        yield self._make("response.in_progress", response=opened)

    def add(self, answer: Answer) -> Iterator[ResponseEvent]:
        """Those of the newest token. One that reads as nothing has an event too, but not among reasoning."""
        parts = answer.parts[-1]
        self._sent = len(parts)
        yield from self._add(answer, parts, not answer.reasons)

    def end(self, answer: Answer) -> Iterator[ResponseEvent]:
        """Those after the last token. An answer that was cut off is not said to be done."""
        if answer.error is None:
            left = answer.parts[-1][self._sent :] if answer.parts else ()
            yield from self._add(answer, left, False)
            yield from self._close(answer)
        response = self._dialect.write(answer)
        kind = "failed" if answer.error is not None else response["status"]
        yield self._make(f"response.{kind}", response=response)

    def _add(self, answer: Answer, parts: Sequence[Part], is_counted: bool) -> Iterator[ResponseEvent]:
        for side in SIDES:
            text = join_kind(parts, side)
            if text or (is_counted and side == "answer"):
                if self._open != side:
                    yield from self._close(answer)
                    yield from self._begin(side, answer)
                extra: dict[str, Any] = {"logprobs": []} if side == "answer" else {}
                yield self._make(f"{TEXT_EVENTS[side]}.delta", **self._place(side), delta=text, **extra)

    def _begin(self, side: Side, answer: Answer) -> Iterator[ResponseEvent]:
        self._open = side
        if side in self._indices:
            return
        self._indices[side] = len(self._indices)
        item: Any = {**self._write_item(side, answer), "status": "in_progress", "content": []}
        yield self._make("response.output_item.added", output_index=self._indices[side], item=item)
        yield self._make("response.content_part.added", **self._place(side), part=write_part(side, ""))

    def _close(self, answer: Answer) -> Iterator[ResponseEvent]:
        """The end of the item that is open. Its text is all that the answer has of its side."""
        if (side := self._open) is None:
            return
        self._open, text = None, answer.join(side)
        extra: dict[str, Any] = {"logprobs": []} if side == "answer" else {}
        yield self._make(f"{TEXT_EVENTS[side]}.done", **self._place(side), text=text, **extra)
        yield self._make("response.content_part.done", **self._place(side), part=write_part(side, text))
        item = self._write_item(side, answer)
        yield self._make("response.output_item.done", output_index=self._indices[side], item=item)

    def _write_item(self, side: Side, answer: Answer) -> OutputItem:
        return self._dialect.write_message(answer) if side == "answer" else self._dialect.write_reasoning(answer)

    def _place(self, side: Side) -> dict[str, Any]:
        id = self._dialect.item_id if side == "answer" else self._dialect.reasoning_id
        return {"item_id": id, "output_index": self._indices[side], "content_index": 0}

    def _make(self, type: str, **fields: Any) -> ResponseEvent:
        event: Any = {"type": type, "sequence_number": self._number, **fields}
        self._number += 1
        return event  # type: ignore[no-any-return]  # fields as of its type


def write_part(side: Side, text: str) -> OutputText | ReasoningText:
    """A part of an item, of text alone."""
    return write_text(text) if side == "answer" else {"type": "reasoning_text", "text": text}
