"""The body of OpenAI's Responses API: text in, text out. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field

from demo.api.dialects.body import Body, Unavailable, refuse_unavailable
from demo.api.dialects.number_fields import Count, ScaleOrZero, Seed
from demo.api.dialects.openai_request import TopP, read_sampling
from demo.api.dialects.prompts import Effort, GivenRole, Options, Part, join_parts, read_role, write_options
from demo.errors import BadRequest
from demo.request import Message, Request

MAX_METADATA: Final = 16
TEXTS: Final = ("input_text", "output_text", "text")

Key = Annotated[str, Field(max_length=64)]
Value = Annotated[str, Field(max_length=512)]


class InputPart(Part):
    """One part of a message. Only text is supported."""

    @property
    def content(self) -> str | None:
        return self.text if self.type in TEXTS else None


class InputItem(Body):
    """One turn: a message, or an item of an earlier response as it was returned."""

    type: str = "message"
    role: GivenRole | None = None
    content: str | Annotated[list[InputPart], Field(fail_fast=True)] | None = None
    summary: Any = Field(default=None, description="Of an item of type `reasoning`: empty here.")

    def read_reasoning(self) -> str | None:
        """The text of an item of reasoning; None for any other."""
        if self.type != "reasoning":
            return None
        return "".join(part.text or "" for part in self.content or () if isinstance(part, InputPart))

    def read(self) -> Message:
        """The engine's message. Raises BadRequest for tools, references and images."""
        if self.type != "message":
            raise BadRequest(
                f"An input item of type `{self.type}` is not available on this server: send messages of text only."
            )
        if self.role is None:
            raise BadRequest("An input message has no `role`: it must be user, assistant, system or developer.")
        text = join_parts(self.content) if isinstance(self.content, list) else self.content
        return Message(read_role(self.role), text or "")


class TextOptions(Body):
    """How the text is written: plain is all there is."""

    format: Any = Field(default=None, description='Only `{"type": "text"}` is available here.')
    verbosity: Any = Field(default=None, description='Only "medium" is available here.')

    def check(self) -> None:
        """Raises BadRequest for another format."""
        kind = self.format.get("type") if isinstance(self.format, dict) else self.format
        if kind not in (None, "text"):
            raise BadRequest(f"`text.format` of type `{kind}` is not available on this server: leave it out.")
        if self.verbosity not in (None, "medium"):
            raise BadRequest("`text.verbosity` is not available on this server: leave it out.")


class ReasoningOptions(Body):
    """How a model reasons that does."""

    effort: Effort | None = Field(default=None, description="Passed to the chat template as `reasoning_effort`.")
    summary: Annotated[Any, Unavailable(("auto",))] = None
    generate_summary: Annotated[Any, Unavailable(("auto",))] = None


class ResponsesRequest(Body):
    """The body of `/v1/responses`. Unknown fields are named in a header, known ones that are not available refused."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"input": "What is Deep Learning?", "max_output_tokens": 20}}
    )

    input: Annotated[str, Field(min_length=1)] | Annotated[list[InputItem], Field(min_length=1, fail_fast=True)]
    """One text, as a user's message, or the messages of a conversation."""
    model: str | None = Field(default=None, description="Ignored: this server has one model.")
    instructions: str | None = None
    """A system message at the beginning. Not carried over to the next response."""
    previous_response_id: str | None = None
    """Continue the conversation of this response, which the server has stored."""
    max_output_tokens: Count | None = None
    """The most tokens to generate; null for as many as fit."""
    temperature: ScaleOrZero | None = Field(default=None, description="0: greedy decoding.")
    top_p: TopP | None = None
    seed: Seed | None = Field(default=None, description="Not OpenAI's: same request and seed, same tokens.")
    stream: bool | None = False
    background: bool | None = False
    """Reply at once, and generate without a connection: poll the response, or take its stream up again."""
    store: bool | None = True
    """Keep the response for an hour, in memory, so that its id can be used."""
    metadata: Annotated[dict[Key, Value], Field(max_length=MAX_METADATA)] | None = None
    user: str | None = None
    parallel_tool_calls: bool | None = True
    text: TextOptions | None = None
    tools: Annotated[Any, Unavailable(([],))] = None
    tool_choice: Annotated[Any, Unavailable(("none", "auto"))] = None
    # Agents ask for it so that they can send reasoning back: here its text itself is in the item, and read from it.
    include: Annotated[Any, Unavailable(([], ["reasoning.encrypted_content"]))] = None
    reasoning: ReasoningOptions | None = None
    chat_template_kwargs: Options | None = None
    """vLLM's: variables for the model's chat template, such as `enable_thinking`."""
    conversation: Annotated[Any, Unavailable()] = None
    prompt: Annotated[Any, Unavailable()] = None
    top_logprobs: Annotated[Any, Unavailable((0,))] = None
    truncation: Annotated[Any, Unavailable(("disabled",))] = None

    @property
    def stores(self) -> bool:
        return self.store is not False

    def messages(self) -> tuple[Message, ...]:
        """The new messages, without the instructions. Raises BadRequest."""
        if isinstance(self.input, str):
            return (Message("user", self.input),)
        return tuple(self._read_items(self.input))

    def _read_items(self, items: Sequence[InputItem]) -> Iterator[Message]:
        """The messages; a reasoning item is part of the answer after it."""
        reasoning: str | None = None
        for item in items:
            if (text := item.read_reasoning()) is not None:
                reasoning = (reasoning or "") + text
                continue
            message = item.read()
            yield replace(message, reasoning=reasoning) if message.role == "assistant" else message
            reasoning = None

    def check(self) -> None:
        """Raises BadRequest for what this server does not have."""
        refuse_unavailable(self)
        if self.text is not None:
            self.text.check()
        if self.reasoning is not None:
            refuse_unavailable(self.reasoning)
        if self.background and not self.stores:
            raise BadRequest("`background` needs `store`: leave `store` out, or set it to true.")

    def make_request(self, conversation: Sequence[Message]) -> Request:
        """The engine's request. Raises BadRequest."""
        first = (Message("system", self.instructions),) if self.instructions else ()
        options = write_options(self.chat_template_kwargs, self.reasoning.effort if self.reasoning else None)
        return Request((*first, *conversation), self.max_output_tokens, read_sampling(self), template_options=options)
