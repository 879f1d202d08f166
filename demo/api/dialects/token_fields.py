"""What OpenAI's two dialects tell beside the text, as vLLM does: names of tokens, ids, what ended an answer. Pure."""

from collections.abc import Sequence

from typing_extensions import TypedDict

from demo.api.dialects.answer import Answer
from demo.events import Candidate, Done, Token

BYTES = "bytes:"  # completions mark the name of a part of a character


class ChoiceFields(TypedDict, total=False):
    """The ids of a choice's tokens, and which stop string ended it; null where none did."""

    token_ids: list[int | None]
    stop_reason: str | None


class PromptIdFields(TypedDict, total=False):
    """The ids of the prompt; null where the engine does not know them."""

    prompt_token_ids: list[int] | None


def list_likeliest(token: Token) -> Sequence[Candidate]:
    """The likeliest tokens that were asked for, and the sampled one where it is none of them."""
    own = token.candidate
    # An engine elsewhere may tell no ids.
    is_among = any(each.id == own.id and (own.id is not None or each.text == own.text) for each in token.top)
    return token.top if is_among else (own, *token.top)


def name_candidate(candidate: Candidate, mark: str = "") -> str:
    r"""Its text; of a part of a character its bytes after `mark`, those that are no character as `\xe2`."""
    if candidate.encoded is None:
        return candidate.text
    return mark + candidate.encoded.decode("utf-8", "backslashreplace")


def name_likeliest(token: Token) -> dict[str, float | None]:
    """The log-probabilities of the likeliest beside `token`, by name. Its own name is the one that it has elsewhere.

    Of others with an equal name, each but the likeliest is named by its id, as vLLM does.
    """
    chosen, names = token.candidate, dict[str, float | None]()
    taken = {name_candidate(chosen, BYTES)}
    for each in list_likeliest(token):
        name = name_candidate(each, BYTES)
        if each.id != chosen.id and name in taken:
            name = f"token_id:{each.id}"
        taken.add(name)
        names[name] = each.logprob
    return names


def write_choice_fields(answer: Answer, tokens: Sequence[Token], with_ids: bool | None) -> ChoiceFields:
    """The ids of `tokens`, if they are asked for; of an answer that has ended, the stop string that ended it."""
    fields: ChoiceFields = {"token_ids": [token.id for token in tokens]} if with_ids else {}
    if isinstance(answer.end, Done):
        fields["stop_reason"] = answer.end.stop
    return fields


def write_prompt_ids(answer: Answer, asked: bool | None) -> PromptIdFields:
    if not asked:
        return {}
    return {"prompt_token_ids": list(answer.started.prompt) or None if answer.started else None}
