"""What a request says to the chat template: `chat_template_kwargs`, and OpenAI's effort of reasoning. Pure."""

import json
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

from demo.errors import BadRequest

Effort: TypeAlias = Literal["none", "minimal", "low", "medium", "high", "xhigh"]
Options: TypeAlias = dict[str, Any]

# What the server itself says to the template, or to the library that renders it.
RESERVED: Final = frozenset(
    (
        *("messages", "conversation", "conversations", "tools", "documents", "chat_template", "tokenize", "padding"),
        *("add_generation_prompt", "continue_final_message", "truncation", "max_length", "return_tensors"),
        *("return_dict", "return_assistant_tokens_mask", "tokenizer_kwargs", "processor_kwargs"),
    )
)


def write_options(options: Mapping[str, Any] | None, effort: Effort | None) -> str:
    """The template's variables as a Request holds them: `options` go before `effort`, as in vLLM. Raises BadRequest."""
    if reserved := sorted(RESERVED & (options or {}).keys()):
        raise BadRequest(f"`chat_template_kwargs` can't set `{reserved[0]}`, which this server sets: leave it out.")
    variables = {**({} if effort is None else {"reasoning_effort": effort}), **(options or {})}
    return json.dumps(variables, sort_keys=True, ensure_ascii=False)
