"""A plain text as a prompt: a user's message to an instruct model, or raw."""

from collections.abc import Set

from demo.engine import ModelCard
from demo.request import Message, Prompt


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
