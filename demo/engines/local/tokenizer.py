"""The protocol of tokenizers."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from demo.events import Piece


class Tokenizer(Protocol):
    """A model's tokenizer with its chat template."""

    @property
    def eos_id(self) -> int | None:
        """The id of the end-of-sequence token; None where there is none."""

    @property
    def special_ids(self) -> frozenset[int]:
        """The ids with a special role, such as the end of a sequence."""

    @property
    def control_tokens(self) -> frozenset[str]:
        """The texts of the special tokens, which are encoded as one token each, as the chat template's marks are."""

    def token_id(self, token: str) -> int | None:
        """The id of the token with this text in the vocabulary; None where there is none."""

    def encode(self, text: str, raw: bool) -> list[int]:
        """The ids of a text; with `raw`, between the ids that the model expects before and after a text."""

    def locate(self, text: str, raw: bool) -> tuple[Piece, ...]:
        """The same ids, each with its place in the text."""

    def decode(self, ids: Sequence[int], special: bool = True) -> str:
        """The text of ids, with or without that of the `special` ones."""

    def apply_chat_template(self, turns: Sequence[Mapping[str, str]]) -> str:
        """The text of a conversation of roles and contents. Raises jinja2's TemplateError."""
