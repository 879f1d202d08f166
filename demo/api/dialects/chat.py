"""OpenAI's chat dialect: `/v1/chat/completions`. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from demo.api.dialects.answer import Answer
from demo.api.dialects.body import Body, Unavailable, refuse_unavailable
from demo.api.dialects.number_fields import TopN
from demo.api.dialects.openai import FINISH_REASONS, OpenAIDialect, list_likeliest, name_candidate
from demo.api.dialects.openai_request import CountOrAll, OpenAIRequest, read_sampling
from demo.api.dialects.prompts import Effort, Options, Part, join_parts, read_role, write_options
from demo.api.openapi import replies
from demo.errors import BadRequest
from demo.events import Candidate, Token
from demo.prompt_threads import MESSAGE_COST
from demo.reasoning import join_kind
from demo.request import Message, Request


class ContentPart(Part):
    """One part of a message. Only text is supported, and the text of a refusal."""

    refusal: str | None = None

    @property
    def content(self) -> str | None:
        return {"text": self.text, "refusal": self.refusal}.get(self.type)


class ChatMessage(Body):
    """One turn. `developer` is read as `system`, an answer that refuses by the text of its `refusal`."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | Annotated[list[ContentPart], Field(fail_fast=True)] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    """Of an earlier answer, as it was returned: the template may show it to the model."""
    reasoning: str | None = Field(default=None, description="vLLM's newer name of `reasoning_content`.")
    tool_calls: Any = Field(default=None, description="Not available here: refused unless null or empty.")
    function_call: Any = Field(default=None, description="Not available here: refused unless null or empty.")
    audio: Any = Field(default=None, description="Not available here: refused unless null or empty.")

    @property
    def size(self) -> int:
        """Characters of the text, and what reading it costs beside them."""
        if isinstance(self.content, list):
            return sum(len(part.content or "") + MESSAGE_COST for part in self.content)
        return len(self.content or self.refusal or "") + len(self.thoughts or "") + MESSAGE_COST

    @property
    def thoughts(self) -> str | None:
        """The reasoning of an earlier answer."""
        return self.reasoning if self.reasoning_content is None else self.reasoning_content

    def read(self) -> Message:
        """The engine's message. Raises BadRequest for tools and images."""
        if self.role == "tool" or self.tool_calls or self.function_call:
            raise BadRequest("Tools are not available on this server: send system, user and assistant messages only.")
        if self.audio:
            raise BadRequest("A message of `audio` is not available on this server: send text only.")
        text = join_parts(self.content) if isinstance(self.content, list) else self.content or self.refusal
        if self.thoughts and self.role != "assistant":
            raise BadRequest("`reasoning_content` is an answer's: send it with messages of the assistant only.")
        return Message(read_role(self.role), text or "", self.thoughts)


class ChatRequest(OpenAIRequest):
    """The body of `/v1/chat/completions`."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"messages": [{"role": "user", "content": "What is Deep Learning?"}], "max_tokens": 20}
        }
    )

    messages: list[ChatMessage] = Field(min_length=1, fail_fast=True)
    max_completion_tokens: CountOrAll | None = Field(default=None, description="OpenAI's newer `max_tokens`.")
    logprobs: bool | None = Field(default=False, description="Return the logprob of each token.")
    top_logprobs: TopN | None = None
    """With each token, return this many of the likeliest. Needs logprobs."""
    continue_final_message: bool | None = None
    """vLLM's: continue the last message, an assistant's, and do not answer it. null: where it is one."""
    add_generation_prompt: bool | None = None
    """vLLM's: the opposite of `continue_final_message`."""
    chat_template_kwargs: Options | None = None
    """vLLM's and llama.cpp's: variables for the model's chat template, such as `enable_thinking`."""
    reasoning_effort: Effort | None = None
    """Passed to the chat template; what it does there is the template's to say."""
    tools: Annotated[Any, Unavailable(([],))] = None
    tool_choice: Annotated[Any, Unavailable(("none", "auto"))] = None
    functions: Annotated[Any, Unavailable(([],))] = None
    function_call: Annotated[Any, Unavailable(("none", "auto"))] = None
    response_format: Annotated[Any, Unavailable(({"type": "text"},))] = None
    modalities: Annotated[Any, Unavailable((["text"],))] = None
    audio: Annotated[Any, Unavailable()] = None

    @property
    def size(self) -> int:
        """As of its messages together."""
        return sum(message.size for message in self.messages)

    def conversation(self) -> tuple[Message, ...]:
        """The engine's prompt, of which an answer at the end is continued. Raises BadRequest."""
        messages = tuple(message.read() for message in self.messages)
        continues, is_answer = self._read_continuation(), messages[-1].role == "assistant"
        if continues and not is_answer:
            raise BadRequest("Only an answer can be continued: let the last message be the assistant's.")
        # An empty answer behind it is a new one.
        return (*messages, Message("assistant", "")) if is_answer and continues is False else messages

    def _read_continuation(self) -> bool | None:
        continues, adds = self.continue_final_message, self.add_generation_prompt
        if adds is None:
            return continues
        if continues == adds:
            raise BadRequest(
                "Either `continue_final_message` or `add_generation_prompt` must be true: set one of them."
            )
        return not adds

    def requests(self) -> list[Request]:
        """The engine's requests, one for each of `n`. Raises BadRequest."""
        refuse_unavailable(self)
        if self.top_logprobs and not self.logprobs:
            raise BadRequest("`top_logprobs` needs `logprobs`: set it to true.")
        limit = self.max_completion_tokens or self.max_tokens
        request = Request(
            self.conversation(),
            limit,
            read_sampling(self),
            self.stops(),
            self.top_logprobs or 0,
            template_options=self.template_options,
        )
        return self.repeat(request)

    @property
    def template_options(self) -> str:
        """The variables of the chat template, as a Request holds them. Raises BadRequest."""
        return write_options(self.chat_template_kwargs, self.reasoning_effort)


@dataclass(frozen=True, slots=True)
class ChatDialect(OpenAIDialect):
    """Deltas of a message. Its first token names the role: clients would count a chunk of the role alone as a token."""

    id_prefix = "chatcmpl"

    def write_chunk(self, *choices: replies.ChatDelta) -> replies.ChatChunk:
        return {
            "id": self.id,
            "object": "chat.completion.chunk",
            **self.write_envelope(),  # type: ignore[typeddict-item]  # to mypy it might have more fields
            "choices": [*choices],
        }

    def chunk(self, index: int, answer: Answer, token: Token, is_last: bool) -> replies.ChatChunk:
        is_first = token.index == 1
        choice: replies.ChatDelta = {
            "index": index,
            "delta": write_delta(answer, is_first),
            "logprobs": self._write_logprobs([token]),
            "finish_reason": FINISH_REASONS[answer.finish_reason] if is_last else None,
            **self.write_choice_fields(answer, [token]),
        }
        prompt_ids = self.write_prompt_ids(answer, is_first)
        return {**self.write_chunk(choice), **prompt_ids, **self.write_usage_so_far(answer)}

    def whole(self, answers: Sequence[Answer]) -> replies.Chat:
        choices: list[replies.ChatChoice] = [
            {
                "index": index,
                "message": write_message(answer),
                "logprobs": self._write_logprobs(answer.tokens),
                "finish_reason": FINISH_REASONS[answer.finish_reason],
                **self.write_choice_fields(answer, answer.tokens),
            }
            for index, answer in enumerate(answers)
        ]
        return {
            "id": self.id,
            "object": "chat.completion",
            **self.write_envelope(),
            "choices": choices,
            "usage": self.count_usage(answers),
            **self.write_prompt_ids(answers[0]),
        }

    def _write_logprobs(self, tokens: Sequence[Token]) -> replies.ChatLogprobs | None:
        if not self.with_logprobs:
            return None
        return {
            "content": [
                {
                    **_write_token(token),
                    "top_logprobs": [_write_candidate(each) for each in list_likeliest(token) if token.top],
                }
                for token in tokens
            ]
        }


def write_delta(answer: Answer, is_first: bool) -> replies.ChatTextDelta:
    """What the newest token adds to the message."""
    parts = answer.parts[-1]
    delta: replies.ChatTextDelta = {"content": join_kind(parts, "answer")}
    if reasoning := join_kind(parts, "reasoning"):
        delta["reasoning_content"] = reasoning
    return {"role": "assistant", **delta} if is_first else delta


def write_message(answer: Answer) -> replies.ChatText:
    message: replies.ChatText = {"role": "assistant", "content": answer.join("answer")}
    if answer.reasons:
        message["reasoning_content"] = answer.join("reasoning")
    return message


def _write_token(token: Token) -> replies.ChatLogprob:
    return {**_write_candidate(token.candidate), "bytes": list(token.encode())}


def _write_candidate(candidate: Candidate) -> replies.ChatLogprob:
    return {"token": name_candidate(candidate), "logprob": candidate.logprob, "bytes": list(candidate.encode())}
