"""The prompt of a request: plain text or messages in parts, and the variables of the chat template. Pure."""

import json
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Set
from typing import Any, Final, Literal, TypeAlias

from demo.api.dialects.body import Body
from demo.engine import ModelCard
from demo.errors import BadRequest
from demo.request import Message, Prompt, Role

Effort: TypeAlias = Literal["none", "minimal", "low", "medium", "high", "xhigh"]
GivenRole: TypeAlias = Literal["system", "developer", "user", "assistant"]
Options: TypeAlias = dict[str, Any]

# What the server itself says to the template, or to the library that renders it.
RESERVED: Final = frozenset(
    (
        *("messages", "conversation", "conversations", "tools", "documents", "chat_template", "tokenize", "padding"),
        *("add_generation_prompt", "continue_final_message", "truncation", "max_length", "return_tensors"),
        *("return_dict", "return_assistant_tokens_mask", "tokenizer_kwargs", "processor_kwargs"),
    )
)


class Part(Body):
    """One part of a message in OpenAI's dialects."""

    type: str
    text: str | None = None

    @property
    @abstractmethod
    def content(self) -> str | None:
        """Its text; None for a part of another type."""


def join_parts(parts: Iterable[Part]) -> str:
    """The text of a message. Raises BadRequest for a part that is no text."""
    texts = []
    for part in parts:
        if part.content is None:
            raise BadRequest(f"Content of type `{part.type}` is not available on this server: send text only.")
        texts.append(part.content)
    return "".join(texts)


def read_role(role: GivenRole) -> Role:
    """The engine's role: `developer` is OpenAI's newer `system`."""
    return "system" if role == "developer" else role


def read_prompt(text: str, card: ModelCard, raw: bool | None) -> Prompt:
    """The prompt for `text`: a user's message, unless `raw` is set or the text holds a control token.

    `raw` None leaves the choice to the server's setting.
    """
    if raw is None:
        raw = card.plain_prompts == "raw"
    return text if raw or holds_any(text, card.control_tokens) else (Message("user", text),)


def holds_any(text: str, tokens: Set[str]) -> bool:
    """Whether `text` holds one of `tokens`. It is searched for all of them only if it has the characters they share."""
    shared = set.intersection(*map(set, tokens)) if tokens else set()
    return all(character in text for character in shared) and any(token in text for token in tokens)


def write_options(options: Mapping[str, Any] | None, effort: Effort | None) -> str:
    """The template's variables as a Request holds them: `options` go before `effort`, as in vLLM. Raises BadRequest."""
    if reserved := sorted(RESERVED & (options or {}).keys()):
        raise BadRequest(f"`chat_template_kwargs` can't set `{reserved[0]}`, which this server sets: leave it out.")
    variables = {} if effort is None else {"reasoning_effort": effort}
    return json.dumps({**variables, **(options or {})}, sort_keys=True, ensure_ascii=False)
