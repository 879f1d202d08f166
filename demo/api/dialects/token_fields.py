"""What OpenAI's dialects tell beside the text, as vLLM does: alternatives, ids, and what ended an answer."""

from collections.abc import Sequence

from typing_extensions import TypedDict

from demo.api.dialects.answer import Answer
from demo.events import Candidate, Done, Token


class TokenIdFields(TypedDict, total=False):
    """The ids of an answer's tokens."""

    token_ids: list[int | None]


class PromptIdFields(TypedDict, total=False):
    """The ids of the prompt; null where the engine does not know them."""

    prompt_token_ids: list[int] | None


class StopField(TypedDict, total=False):
    """Which stop string ended the answer; null where none did."""

    stop_reason: str | None


def list_likeliest(token: Token) -> Sequence[Candidate]:
    """The likeliest tokens that were asked for, and the sampled one where it is none of them."""
    own = token.candidate
    # An engine elsewhere may tell no ids.
    is_among = any(each.id == own.id and (own.id is not None or each.text == own.text) for each in token.top)
    return token.top if is_among else (own, *token.top)


def write_ids(tokens: Sequence[Token], asked: bool | None) -> TokenIdFields:
    return {"token_ids": [token.id for token in tokens]} if asked else {}


def write_prompt_ids(answer: Answer, asked: bool | None) -> PromptIdFields:
    if not asked:
        return {}
    return {"prompt_token_ids": list(answer.started.prompt) or None if answer.started else None}


def write_stop(answer: Answer) -> StopField:
    """Of an answer that has ended: the stop string that ended it."""
    return {"stop_reason": answer.end.stop} if isinstance(answer.end, Done) else {}
