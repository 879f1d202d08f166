"""Chat templates: where a model's comes from, and what it refuses, in a sentence. Knows no runner."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from demo.engines.local.tokenizer import Tokenizer
from demo.errors import BadRequest, ModelError, SettingError, TemplateRefused

DEFAULT: Final = "default"  # the one of several named templates that writes conversations
GGUF_KEY: Final = "tokenizer.chat_template"
GREETING: Final = ({"role": "user", "content": "Hello"},)
REMEDY: Final = "give one with --chat-template, or have plain text completed with --plain-prompts raw"


def render(tokenizer: Tokenizer, turns: Sequence[Mapping[str, str]], options: Mapping[str, Any]) -> str:
    """The text of a conversation. Raises TemplateRefused, whatever the template raises: a template is a program."""
    if tokenizer.chat_template is None:
        raise TemplateRefused("The model has no chat template: send plain text to be completed, not a conversation.")
    try:
        return tokenizer.apply_chat_template(turns, options)
    except BadRequest:
        raise
    except Exception as error:
        raise TemplateRefused(f"The model's chat template refuses this conversation: {_describe(error)}.") from error


def check_template(model_id: str, tokenizer: Tokenizer) -> None:
    """Raise ModelError where the template cannot even render a greeting."""
    if tokenizer.chat_template is None:
        return
    try:
        tokenizer.apply_chat_template(GREETING)
    except Exception as error:
        raise ModelError(
            f"The chat template of {model_id} cannot be rendered ({_describe(error)}): {REMEDY}."
        ) from error


def read_template(path: str | None) -> str | None:
    """The text of the file `path`, the setting `--chat-template`; None where it is not set. Raises SettingError."""
    if path is None:
        return None
    try:
        text = Path(path).expanduser().read_text("utf-8")
    except (OSError, ValueError) as error:
        raise SettingError(
            f"--chat-template is {path!r}, which can't be read ({error}): give a Jinja file in UTF-8."
        ) from error
    if not text.strip():
        raise SettingError(f"--chat-template is {path!r}, which is empty: give a Jinja file.")
    return text


def choose_template(model_id: str, templates: Mapping[str, str], is_required: bool) -> str | None:
    """The template that writes conversations, of a model's `templates` by name; None where none `is_required`.

    Raises ModelError where there is none, or none of several is the default.
    """
    if (template := templates.get(DEFAULT)) or not is_required:
        return template
    if templates:
        raise ModelError(
            f"{model_id} has the chat templates {', '.join(sorted(templates))}, and none of them is named "
            f"{DEFAULT}: {REMEDY}."
        )
    raise ModelError(f"{model_id} has no chat template: {REMEDY}; or give an instruct or chat model.")


def list_gguf_templates(metadata: Mapping[str, Any]) -> dict[str, str]:
    """The chat templates of a GGUF file, by name."""
    named = {key.removeprefix(f"{GGUF_KEY}."): text for key, text in metadata.items() if key.startswith(f"{GGUF_KEY}.")}
    return named | ({DEFAULT: metadata[GGUF_KEY]} if metadata.get(GGUF_KEY) else {})


def _describe(error: Exception) -> str:
    """What a template raised: its own words, or the error of its program."""
    kind = type(error).__name__
    words = textwrap.shorten(str(error), 240, placeholder=" …").rstrip(".")
    return words if kind == "TemplateError" and words else f"{kind}: {words}" if words else kind
