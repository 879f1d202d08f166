"""Plain text as a prompt: a user's message to an instruct model, or raw. Knows the model by its card alone."""

from demo.events import Message, ModelCard, Prompt


def read_prompt(text: str, card: ModelCard, raw: bool | None) -> Prompt:
    """What the model is to read: a user's message where `text` is plain, unless it or the server is to keep it raw.

    Plain is what holds no control token; `raw` None leaves the choice to the server.
    """
    if raw is None:
        raw = card.plain_prompts == "raw"
    if raw or any(token in text for token in card.control_tokens):
        return text
    return (Message("user", text),)
