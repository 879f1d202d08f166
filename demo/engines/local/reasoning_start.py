"""How an answer begins: whether its prompt leaves it inside the model's reasoning. Knows no tokenizer."""

from collections.abc import Sequence
from itertools import islice
from typing import Final, Literal, TypeAlias

from demo.engines.local.detokenizer import Spell
from demo.events import ReasoningStart
from demo.reasoning import CHANNEL, CLOSING, OPENING, continue_start
from demo.request import Prompt, find_begun

ReasoningFormat: TypeAlias = Literal["tags", "harmony"]

FORMATS: Final[dict[str, ReasoningFormat]] = {CHANNEL: "harmony", OPENING: "tags", CLOSING: "tags"}
ENDING: Final = 64  # tokens of a prompt that are looked at for an opening tag


def find_reasoning_format(template: str | None) -> ReasoningFormat | None:
    """How a model marks its reasoning, by the marks that its chat template holds; None where it holds none."""
    return next((format for mark, format in FORMATS.items() if mark in (template or "")), None)


def find_reasoning_start(
    format: ReasoningFormat | None, prompt: Prompt, ids: Sequence[int], spell: Spell
) -> ReasoningStart:
    """How the answer to `prompt`, which the model reads as `ids`, begins. A completed text has no reasoning."""
    if format is None or not isinstance(prompt, tuple):
        return "none"
    begun = find_begun(prompt)
    if format == "harmony":
        return continue_start("harmony", begun)
    is_open = _read_end(ids, begun, spell).rstrip().endswith(OPENING)
    return continue_start("open" if is_open else "tags", begun)


def _read_end(ids: Sequence[int], begun: str, spell: Spell) -> str:
    """The last text of the prompt before what is continued."""
    tokens = islice(reversed(ids), ENDING + len(begun.encode()))
    text = b"".join(spell(id).encode() for id in reversed([*tokens])).decode(errors="replace")
    return text.removesuffix(begun)
