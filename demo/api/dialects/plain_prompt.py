"""A plain text as a prompt: a user's message to an instruct model, or raw."""

from demo.engine import ModelCard
from demo.request import Message, Prompt


def read_prompt(text: str, card: ModelCard, raw: bool | None) -> Prompt:
    """The prompt for `text`: a user's message, unless `raw` is set or the text holds a control token.

    `raw` None leaves the choice to the server's setting.
    """
    if raw is None:
        raw = card.plain_prompts == "raw"
    if raw or any(token in text for token in card.control_tokens):
        return text
    return (Message("user", text),)
