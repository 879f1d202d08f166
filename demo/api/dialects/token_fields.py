"""What OpenAI's dialects tell of tokens beside their text, as vLLM does: alternatives and ids."""

from collections.abc import Sequence

from typing_extensions import TypedDict

from demo.api.dialects.answer import Answer
from demo.events import Candidate, Token


class TokenIdFields(TypedDict, total=False):
    """The ids of an answer's tokens."""

    token_ids: list[int]


class PromptIdFields(TypedDict, total=False):
    """The ids of the prompt; null where the engine does not know them."""

    prompt_token_ids: list[int] | None


def list_likeliest(token: Token) -> list[Token | Candidate]:
    """The likeliest tokens that were asked for, and the sampled one where it is none of them."""
    is_among = any(candidate.id == token.id for candidate in token.top)
    return [*token.top] if is_among else [token, *token.top]


def write_ids(tokens: Sequence[Token], asked: bool | None) -> TokenIdFields:
    return {"token_ids": [token.id for token in tokens]} if asked else {}


def write_prompt_ids(answer: Answer, asked: bool | None) -> PromptIdFields:
    if not asked:
        return {}
    return {"prompt_token_ids": list(answer.started.prompt) or None if answer.started else None}
