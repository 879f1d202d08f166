"""OpenAI's Responses dialect: `/v1/responses`. Its events are a function of the run's log alone, and numbered. Pure."""

import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from demo.api.dialects.answer import Answer, add_counts
from demo.api.dialects.errors import Json, format_error, write_openai
from demo.api.dialects.responses_request import ResponsesRequest
from demo.api.openapi.replies import OpenAIError
from demo.api.openapi.response_replies import (
    OutputMessage,
    OutputText,
    ResponseEvent,
    ResponseObject,
    ResponseStatus,
    ResponseUsage,
)
from demo.engine import ModelCard
from demo.errors import DemoError
from demo.events import Failed, PromptProgress, Queued, Token

ID: Final = "resp_"
PLACE: Final[dict[str, Any]] = {"output_index": 0, "content_index": 0}


@dataclass(frozen=True, slots=True)
class ResponsesDialect:
    """One response: what was asked for, and what its answer is so far."""

    card: ModelCard
    request: ResponsesRequest
    ending: bytes = b""
    suffix: str = field(default_factory=lambda: secrets.token_hex(16))
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def id(self) -> str:
        return ID + self.suffix

    @property
    def item_id(self) -> str:
        """The id of its one message."""
        return f"msg_{self.suffix}"

    def whole(self, answers: Sequence[Answer]) -> ResponseObject:
        return self.write(answers[0])

    def headers(self, answers: Sequence[Answer]) -> dict[str, str]:
        return answers[0].headers(self.card.device)

    def error(self, error: DemoError) -> OpenAIError:
        return write_openai(error)

    def chunk(self, index: int, answer: Answer, token: Token, is_last: bool) -> Json:
        return write_delta(self, token)

    def progress(self, answer: Answer, progress: PromptProgress | Queued) -> None:
        return None

    def closing(self, answers: Sequence[Answer]) -> Sequence[Json]:
        return ()

    def write(self, answer: Answer) -> ResponseObject:
        """The response with what `answer` holds."""
        asked, status, end = self.request, find_status(answer), answer.end
        ended_well = end is not None and answer.error is None
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "completed_at": self.created + end.time - answer.run.submitted if ended_well and end else None,
            "status": status,
            "background": bool(asked.background),
            "error": {"code": "server_error", "message": format_error(answer.error)} if answer.error else None,
            "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
            "instructions": asked.instructions,
            "max_output_tokens": asked.max_output_tokens,
            "metadata": asked.metadata or {},
            "model": self.card.model_id,
            "output": [self.write_message(answer)] if answer.tokens else [],
            "parallel_tool_calls": asked.parallel_tool_calls is not False,
            "previous_response_id": asked.previous_response_id,
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

    def write_message(self, answer: Answer) -> OutputMessage:
        """The answer as a message."""
        status = find_status(answer)
        return {
            "id": self.item_id,
            "type": "message",
            "role": "assistant",
            "status": "completed" if status == "completed" else "in_progress" if answer.end is None else "incomplete",
            "content": [write_text(answer.text)],
        }


def find_status(answer: Answer) -> ResponseStatus:
    """The response's state."""
    if answer.end is None:
        return "in_progress" if answer.started else "queued"
    if answer.error is not None:
        return "failed" if isinstance(answer.end, Failed) else "cancelled"
    return "incomplete" if answer.finish_reason == "length" else "completed"


def count_usage(answer: Answer) -> ResponseUsage:
    """The tokens read and written."""
    read, written = answer.input_tokens, len(answer.tokens)
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": answer.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": add_counts([read, written]),
    }


def write_text(text: str) -> OutputText:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def write_delta(dialect: ResponsesDialect, token: Token) -> dict[str, Any]:
    """The fields of one token's event."""
    return {"item_id": dialect.item_id, **PLACE, "delta": token.text, "logprobs": []}


class ResponseEvents:
    """Numbers the events of one response, from 0 for whoever reads its run from the beginning."""

    def __init__(self, dialect: ResponsesDialect) -> None:
        self._dialect = dialect
        self._number = 0
        self._has_item = False

    def begin(self, answer: Answer) -> Iterator[ResponseEvent]:
        """Those before the prompt is read."""
        opened: Any = {**self._dialect.write(Answer(answer.run)), "status": "in_progress"}
        yield self._make("response.created", response=opened)
        yield self._make("response.in_progress", response=opened)

    def add(self, answer: Answer, token: Token) -> Iterator[ResponseEvent]:
        """Those of one token."""
        if not self._has_item:
            self._has_item = True
            item = {**self._dialect.write_message(answer), "content": []}
            yield self._make("response.output_item.added", output_index=0, item=item)
            part = write_text("")
            yield self._make("response.content_part.added", item_id=self._dialect.item_id, **PLACE, part=part)
        yield self._make("response.output_text.delta", **write_delta(self._dialect, token))

    def end(self, answer: Answer) -> Iterator[ResponseEvent]:
        """Those after the last token. An answer that was cut off is not said to be done."""
        if answer.error is None:
            message = self._dialect.write_message(answer)
            place = {"item_id": self._dialect.item_id, **PLACE}
            yield self._make("response.output_text.done", **place, text=answer.text, logprobs=[])
            yield self._make("response.content_part.done", **place, part=write_text(answer.text))
            yield self._make("response.output_item.done", output_index=0, item=message)
        response = self._dialect.write(answer)
        kind = "failed" if answer.error is not None else response["status"]
        yield self._make(f"response.{kind}", response=response)

    def _make(self, type: str, **fields: Any) -> ResponseEvent:
        event: Any = {"type": type, "sequence_number": self._number, **fields}
        self._number += 1
        return event  # type: ignore[no-any-return]  # fields as of its type
