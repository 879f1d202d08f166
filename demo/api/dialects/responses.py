"""OpenAI's Responses dialect: `/v1/responses`. Its events are a function of the run's log alone, and numbered. Pure."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from demo.api.dialects.answer import Answer, combine_counts
from demo.api.dialects.dialect import Dialect
from demo.api.dialects.errors import Json, format_error, write_openai
from demo.api.dialects.responses_request import ResponsesRequest
from demo.api.openapi import response_replies
from demo.api.openapi.replies import OpenAIError
from demo.engine import ModelCard
from demo.errors import DemoError
from demo.events import Failed, Token
from demo.reasoning import join_kind

ID: Final = "resp_"


@dataclass(frozen=True, slots=True)
class ResponsesDialect(Dialect):
    """One response: what was asked for, and what its answer is so far."""

    card: ModelCard
    request: ResponsesRequest
    suffix: str = field(default_factory=lambda: secrets.token_hex(16))
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def id(self) -> str:
        return ID + self.suffix

    @property
    def item_id(self) -> str:
        """The id of its one message."""
        return f"msg_{self.suffix}"

    @property
    def reasoning_id(self) -> str:
        """The id of its reasoning."""
        return f"rs_{self.suffix}"

    def whole(self, answers: Sequence[Answer]) -> response_replies.ResponseObject:
        return self.write(answers[0])

    def headers(self, answers: Sequence[Answer]) -> dict[str, str]:
        return answers[0].headers(self.card.device)

    def error(self, error: DemoError) -> OpenAIError:
        return write_openai(error)

    def chunk(self, index: int, answer: Answer, token: Token, is_last: bool) -> Json:
        delta = join_kind(answer.parts[-1], "answer")
        return {"item_id": self.item_id, "output_index": 0, "content_index": 0, "delta": delta, "logprobs": []}

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
            "id": self.item_id,
            "type": "message",
            "role": "assistant",
            "status": find_item_status(answer),
            "content": [write_text(answer.join("answer"))],
        }

    def write_reasoning(self, answer: Answer) -> response_replies.ReasoningItem:
        """What the model wrote before its answer."""
        return {
            "id": self.reasoning_id,
            "type": "reasoning",
            "status": "completed" if answer.join("answer") else find_item_status(answer),
            "summary": [],
            "content": [{"type": "reasoning_text", "text": answer.join("reasoning")}],
        }


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
