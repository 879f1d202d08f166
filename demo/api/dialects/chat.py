"""OpenAI's chat dialect: `/v1/chat/completions`. Pure parse and encode."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from demo.api.dialects.answer import Answer
from demo.api.dialects.number_fields import Count, TopN
from demo.api.dialects.openai import OpenAIDialect, OpenAIRequest, count_usage, fingerprint, read_reason
from demo.api.openapi.replies import Chat, ChatChoice, ChatChunk, ChatLogprob, ChatLogprobs
from demo.errors import BadRequest
from demo.events import Candidate, Message, ModelCard, Request, Role, Token


class ContentPart(BaseModel):
    """One part of a message. Only text can be read here."""

    model_config = ConfigDict(strict=True, extra="ignore")

    type: str
    text: str | None = None


class ChatMessage(BaseModel):
    """One turn. `developer` is read as `system`."""

    model_config = ConfigDict(strict=True, extra="ignore")

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[ContentPart] | None = None
    tool_calls: Any = Field(default=None, description="Not available here: refused unless null or empty.")

    def read(self) -> Message:
        """The turn as the engine takes it. Raises BadRequest for tools and images."""
        if self.role == "tool" or self.tool_calls:
            raise BadRequest("Tools are not available on this server: send system, user and assistant messages only.")
        role: Role = "system" if self.role == "developer" else self.role
        return Message(role, self._read_text())

    def _read_text(self) -> str:
        if isinstance(self.content, str) or self.content is None:
            return self.content or ""
        for part in self.content:
            if part.type != "text" or part.text is None:
                raise BadRequest(f"Content of type `{part.type}` is not available on this server: send text only.")
        return "".join(part.text or "" for part in self.content)


class ChatRequest(OpenAIRequest):
    """What `/v1/chat/completions` takes."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"messages": [{"role": "user", "content": "What is Deep Learning?"}], "max_tokens": 20}
        }
    )
    unavailable: ClassVar[Mapping[str, Sequence[Any]]] = {
        **OpenAIRequest.unavailable,
        "tools": ([],),
        "tool_choice": ("none", "auto"),
        "functions": ([],),
        "function_call": ("none", "auto"),
        "response_format": ({"type": "text"},),
        "modalities": (["text"],),
        "audio": (),
    }

    messages: list[ChatMessage] = Field(min_length=1)
    max_completion_tokens: Count | None = Field(default=None, description="OpenAI's newer `max_tokens`.")
    logprobs: bool | None = Field(default=False, description="Tell how likely each token was.")
    top_logprobs: TopN | None = Field(
        default=None, description="With each token, this many of the likeliest. Needs logprobs."
    )
    tools: Any = Field(default=None, description="Not available here: refused unless null or empty.")
    tool_choice: Any = Field(default=None, description='Not available here: refused unless null, "none" or "auto".')
    functions: Any = Field(default=None, description="Not available here: refused unless null or empty.")
    function_call: Any = Field(default=None, description='Not available here: refused unless null, "none" or "auto".')
    response_format: Any = Field(
        default=None, description='Not available here: refused unless null or {"type": "text"}.'
    )
    modalities: Any = Field(default=None, description='Not available here: refused unless null or ["text"].')
    audio: Any = Field(default=None, description="Not available here: refused unless null.")

    def conversation(self) -> tuple[Message, ...]:
        """The turns as the engine takes them."""
        return tuple(message.read() for message in self.messages)

    def requests(self) -> list[Request]:
        """What the engine is asked, once for each of `n`. Raises BadRequest for what can't be done."""
        self.refuse_unavailable()
        if self.top_logprobs and not self.logprobs:
            raise BadRequest("`top_logprobs` needs `logprobs`: set it to true.")
        limit = self.max_completion_tokens or self.max_tokens
        request = Request(self.conversation(), limit, self.sampling(), self.stops(), self.top_logprobs or 0)
        return self.repeat(request)

    def dialect(self, card: ModelCard) -> "ChatDialect":
        """How the answer is told."""
        return ChatDialect(
            card,
            self.include_usage,
            self.n or 1,
            with_logprobs=bool(self.logprobs),
            with_progress=bool(self.return_progress),
        )


@dataclass(frozen=True, slots=True)
class ChatDialect(OpenAIDialect):
    """Deltas of a message. Every one names the role: a first chunk without text would count as a token."""

    kind = "chatcmpl"

    def open_chunk(self) -> ChatChunk:
        return {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.card.model_id,
            "system_fingerprint": fingerprint(self.card),
            "choices": [],
        }

    def chunk(self, index: int, answer: Answer, token: Token, is_last: bool) -> ChatChunk:
        """One token, as a delta."""
        chunk = self.open_chunk()
        chunk["choices"].append(
            {
                "index": index,
                "delta": {"role": "assistant", "content": token.text},
                "logprobs": self._write_logprobs([token]),
                "finish_reason": read_reason(answer) if is_last else None,
            }
        )
        if self.include_usage:
            chunk["usage"] = None  # as OpenAI's chunks do: it is still to come
        return chunk

    def whole(self, answers: Sequence[Answer]) -> Chat:
        """All answers, as messages."""
        choices: list[ChatChoice] = [
            {
                "index": index,
                "message": {"role": "assistant", "content": answer.text},
                "logprobs": self._write_logprobs(answer.tokens),
                "finish_reason": read_reason(answer),
            }
            for index, answer in enumerate(answers)
        ]
        return {
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.card.model_id,
            "system_fingerprint": fingerprint(self.card),
            "choices": choices,
            "usage": count_usage(answers, self.n),
        }

    def _write_logprobs(self, tokens: Sequence[Token]) -> ChatLogprobs | None:
        if not self.with_logprobs:
            return None
        return {
            "content": [
                {**_write_token(token), "top_logprobs": [_write_token(candidate) for candidate in token.top]}
                for token in tokens
            ]
        }


def _write_token(token: Token | Candidate) -> ChatLogprob:
    return {"token": token.text, "logprob": token.logprob, "bytes": list(token.text.encode())}
