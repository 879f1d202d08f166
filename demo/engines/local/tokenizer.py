"""Text to ids and back: what the engine asks of a tokenizer, whoever made it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from demo.events import Piece


class Tokenizer(Protocol):
    """A model's tokenizer with its chat template."""

    @property
    def eos_id(self) -> int | None:
        """The id that ends an answer, if it names one."""

    @property
    def special_ids(self) -> frozenset[int]:
        """The ids that have a role of their own, as the end of an answer has."""

    @property
    def control_tokens(self) -> frozenset[str]:
        """The special tokens, spelled: each is found in a text as a whole, as the marks of the chat template are."""

    def token_id(self, token: str) -> int | None:
        """The id of a token, given as the vocabulary spells it; None where there is none."""

    def encode(self, text: str, raw: bool) -> list[int]:
        """The ids of a text; of a `raw` one with those that the model wants before and after it."""

    def locate(self, text: str, raw: bool) -> tuple[Piece, ...]:
        """The same ids, each with its place in the text."""

    def decode(self, ids: Sequence[int], special: bool = True) -> str:
        """The text of ids, with the `special` ones spelled or left out."""

    def apply_chat_template(self, turns: Sequence[Mapping[str, str]]) -> str:
        """A conversation of roles and contents in the chat template. Raises jinja2's TemplateError."""
