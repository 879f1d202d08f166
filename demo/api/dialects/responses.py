"""OpenAI's Responses dialect: `/v1/responses`. Its events are a function of the run's log alone, and numbered. Pure."""

import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from demo.api.dialects.answer import Answer, combine_counts
from demo.api.dialects.dialect import Dialect
from demo.api.dialects.errors import format_error
from demo.api.dialects.responses_request import ResponsesRequest
from demo.api.openapi import response_replies
from demo.engine import ModelCard
from demo.events import Failed
from demo.reasoning import Part, join_kind

Side: TypeAlias = Literal["reasoning", "answer"]

SIDES: Final[tuple[Side, ...]] = ("reasoning", "answer")  # in the order of the output
ITEM_IDS: Final[dict[Side, str]] = {"reasoning": "rs_", "answer": "msg_"}
TEXT_EVENTS: Final[dict[Side, str]] = {"reasoning": "response.reasoning_text", "answer": "response.output_text"}


@dataclass(frozen=True, slots=True)
class ResponsesDialect(Dialect):
    """One response: what was asked for, and what its answer is so far."""

    card: ModelCard
    request: ResponsesRequest
    suffix: str = field(default_factory=lambda: secrets.token_hex(16))
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def id(self) -> str:
        return f"resp_{self.suffix}"

    def find_item_id(self, side: Side) -> str:
        """The id of its one message, or of its reasoning."""
        return ITEM_IDS[side] + self.suffix

    def whole(self, answers: Sequence[Answer]) -> response_replies.ResponseObject:
        return self.write(answers[0])

    def headers(self, answers: Sequence[Answer]) -> dict[str, str]:
        return answers[0].headers(self.card.device)

    def write(self, answer: Answer) -> response_replies.ResponseObject:
        """The response with what `answer` holds."""
        asked, status, end = self.request, find_status(answer), answer.end
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "completed_at": self.created + end.time - answer.run.submitted if end and answer.error is None else None,
            "status": status,
            "background": bool(asked.background),
            "error": {"code": "server_error", "message": format_error(answer.error)} if answer.error else None,
            "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
            "instructions": asked.instructions,
            "max_output_tokens": asked.max_output_tokens,
            "metadata": asked.metadata or {},
            "model": self.card.model_id,
            "output": self.write_items(answer),
            "parallel_tool_calls": asked.parallel_tool_calls is not False,
            "previous_response_id": asked.previous_response_id,
            "reasoning": {"effort": asked.reasoning and asked.reasoning.effort, "summary": None},
            "store": asked.stores,
            "temperature": 1.0 if asked.temperature is None else asked.temperature,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0 if asked.top_p is None else asked.top_p,
            "truncation": "disabled",
            "usage": count_usage(answer) if end is not None else None,
            "user": asked.user,
        }

    def write_items(self, answer: Answer) -> list[response_replies.OutputItem]:
        """The reasoning, if there is any, and the message, unless the answer ended within the reasoning."""
        reasoning, message = answer.join("reasoning"), answer.join("answer")
        items: list[response_replies.OutputItem] = [self.write_reasoning(answer)] if reasoning else []
        return [*items, self.write_message(answer)] if message or (answer.tokens and not items) else items

    def write_message(self, answer: Answer) -> response_replies.OutputMessage:
        return {
            "id": self.find_item_id("answer"),
            "type": "message",
            "role": "assistant",
            "status": find_item_status(answer),
            "content": [write_text(answer.join("answer"))],
        }

    def write_reasoning(self, answer: Answer) -> response_replies.ReasoningItem:
        """What the model wrote before its answer."""
        return {
            "id": self.find_item_id("reasoning"),
            "type": "reasoning",
            "status": "completed" if answer.join("answer") else find_item_status(answer),
            "summary": [],
            "content": [{"type": "reasoning_text", "text": answer.join("reasoning")}],
        }


class ResponseEvents:
    """Numbers the events of one response, from 0 for a reader of its run from the beginning."""

    def __init__(self, dialect: ResponsesDialect) -> None:
        self._dialect = dialect
        self._number = 0
        self._indices: dict[Side, int] = {}  # of the items that have begun, in the output
        self._open: Side | None = None
        self._sent = 0  # tokens whose parts have been sent, as far as they were known then

    def begin(self, answer: Answer) -> Iterator[response_replies.ResponseEvent]:
        """Those before the prompt is read."""
        opened: Any = {**self._dialect.write(Answer(answer.run)), "status": "in_progress"}
        yield self._make("response.created", response=opened)
        yield self._make("response.in_progress", response=opened)

    def add(self, answer: Answer) -> Iterator[response_replies.ResponseEvent]:
        """Those of the newest token. One that reads as nothing has an event too, but not among reasoning."""
        parts = answer.parts[-1]
        self._sent = len(parts)
        yield from self._add(answer, parts, not answer.reasons)

    def end(self, answer: Answer) -> Iterator[response_replies.ResponseEvent]:
        """Those after the last token. An answer that was cut off is not said to be done."""
        if answer.error is None:
            left = answer.parts[-1][self._sent :] if answer.parts else ()
            yield from self._add(answer, left, False)
            yield from self._close(answer)
        response = self._dialect.write(answer)
        kind = "failed" if answer.error is not None else response["status"]
        yield self._make(f"response.{kind}", response=response)

    def _add(self, answer: Answer, parts: Sequence[Part], is_counted: bool) -> Iterator[response_replies.ResponseEvent]:
        for side in SIDES:
            text = join_kind(parts, side)
            if text or (is_counted and side == "answer"):
                if self._open != side:
                    yield from self._close(answer)
                    yield from self._begin(side, answer)
                yield self._make_text(side, "delta", delta=text)

    def _begin(self, side: Side, answer: Answer) -> Iterator[response_replies.ResponseEvent]:
        self._open = side
        if side in self._indices:
            return
        self._indices[side] = len(self._indices)
        item: Any = {**self._write_item(side, answer), "status": "in_progress", "content": []}
        yield self._make("response.output_item.added", output_index=self._indices[side], item=item)
        yield self._make("response.content_part.added", **self._place(side), part=write_part(side, ""))

    def _close(self, answer: Answer) -> Iterator[response_replies.ResponseEvent]:
        """The end of the item that is open. Its text is all that the answer has of its side."""
        if (side := self._open) is None:
            return
        self._open, text = None, answer.join(side)
        yield self._make_text(side, "done", text=text)
        yield self._make("response.content_part.done", **self._place(side), part=write_part(side, text))
        item = self._write_item(side, answer)
        yield self._make("response.output_item.done", output_index=self._indices[side], item=item)

    def _write_item(self, side: Side, answer: Answer) -> response_replies.OutputItem:
        return self._dialect.write_message(answer) if side == "answer" else self._dialect.write_reasoning(answer)

    def _place(self, side: Side) -> dict[str, Any]:
        id = self._dialect.find_item_id(side)
        return {"item_id": id, "output_index": self._indices[side], "content_index": 0}

    def _make_text(self, side: Side, kind: str, **text: str) -> response_replies.ResponseEvent:
        logprobs: dict[str, Any] = {"logprobs": []} if side == "answer" else {}
        return self._make(f"{TEXT_EVENTS[side]}.{kind}", **self._place(side), **text, **logprobs)

    def _make(self, type: str, **fields: Any) -> response_replies.ResponseEvent:
        event: Any = {"type": type, "sequence_number": self._number, **fields}
        self._number += 1
        return event  # type: ignore[no-any-return]  # fields as of its type


def find_status(answer: Answer) -> response_replies.ResponseStatus:
    if answer.end is None:
        return "in_progress" if answer.started else "queued"
    if answer.error is not None:
        return "failed" if isinstance(answer.end, Failed) else "cancelled"
    return "incomplete" if answer.finish_reason == "length" else "completed"


def find_item_status(answer: Answer) -> response_replies.ItemStatus:
    """The state of the last item."""
    if answer.end is None:
        return "in_progress"
    return "completed" if find_status(answer) == "completed" else "incomplete"


def count_usage(answer: Answer) -> response_replies.ResponseUsage:
    read, written = answer.input_tokens, len(answer.tokens)
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": answer.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
        "total_tokens": combine_counts(sum, [read, written]),
    }


def write_text(text: str) -> response_replies.OutputText:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def write_part(side: Side, text: str) -> response_replies.OutputText | response_replies.ReasoningText:
    """A part of an item, of text alone."""
    return write_text(text) if side == "answer" else {"type": "reasoning_text", "text": text}
