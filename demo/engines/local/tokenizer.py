"""The protocol of tokenizers; and ids and places of a text by the `tokenizers` library, beside other threads."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Protocol

from tokenizers import Encoding
from tokenizers import Tokenizer as Backend

from demo.engine import Piece
from demo.engines.local.longest_token import LongestToken

# Characters. `encode` holds the GIL to its end; `encode_batch` does not, but must wait to get it back.
LONG_TEXT: Final = 4096
NO_OPTIONS: Final[Mapping[str, Any]] = MappingProxyType({})


class TooManyTokens(Exception):
    """A text has `count` tokens, which is more than the caller's limit."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} tokens")
        self.count = count


class Tokenizer(Protocol):
    """A model's tokenizer with its chat template. Any number of threads may use it at once.

    A text of `LONG_TEXT` characters is encoded without the GIL, where the tokenizer allows it.
    """

    backend: Backend | None  # the library's tokenizer that gives the same ids
    longest: LongestToken | None  # how many bytes of a text one token can stand for; None where that has no bound
    size: int  # the number of ids: they are those below it
    eos_id: int | None  # of the end-of-sequence token
    special_ids: frozenset[int]  # those with a special role, such as the end of a sequence
    control_tokens: frozenset[str]  # the texts that are encoded as one token each, as the chat template's marks are
    chat_template: str | None  # what writes a conversation as a text

    def token_id(self, token: str) -> int | None:
        """The id of the token with this text in the vocabulary; None where there is none."""

    def token(self, id: int) -> str | bytes | None:
        """The vocabulary's own form of a token, which may stand for bytes; None where the id has none."""

    def encode(self, text: str, raw: bool, limit: int | None = None) -> list[int]:
        """The ids of a text; with `raw`, between the ids that the model expects before and after a text.

        Raises TooManyTokens for more than `limit`.
        """

    def locate(self, text: str, raw: bool, limit: int | None = None, first: int = 0) -> tuple[Piece, ...]:
        """The same ids from number `first` on, each with its place in the text."""

    def decode(self, ids: Sequence[int], special: bool = True) -> str:
        """The text of ids, with or without that of the `special` ones."""

    def apply_chat_template(self, turns: Sequence[Mapping[str, str]], options: Mapping[str, Any] = NO_OPTIONS) -> str:
        """The text of a conversation of roles and contents, with `options` as variables of the template.

        Raises whatever the template raises.
        """

    def restore(self, text: str, pieces: Sequence[Piece]) -> tuple[str, tuple[Piece, ...]]:
        """A templated text as people read it, and its tokens with their places there."""
        return text, tuple(pieces)


def encode_text(backend: Backend, text: str, raw: bool, limit: int | None) -> list[int]:
    """As Tokenizer.encode."""
    # The fast one notes no places, in half the memory.
    return _read(backend, backend.encode_batch_fast, text, raw, limit).ids


def locate_tokens(backend: Backend, text: str, raw: bool, limit: int | None, first: int) -> tuple[Piece, ...]:
    """As Tokenizer.locate."""
    encoding = _read(backend, backend.encode_batch, text, raw, limit)
    # One by one: `offsets` would hold the GIL until all are there. A token that belongs to no text has no place.
    places = (encoding.token_to_chars(index) or (0, 0) for index in range(first, len(encoding)))
    return tuple(Piece(id, start, stop) for id, (start, stop) in zip(encoding.ids[first:], places, strict=True))


def _read(backend: Backend, read_batch: Callable[..., Any], text: str, raw: bool, limit: int | None) -> Encoding:
    is_long = len(text) >= LONG_TEXT
    encoding: Encoding = (
        read_batch([text], add_special_tokens=raw)[0] if is_long else backend.encode(text, add_special_tokens=raw)
    )
    if limit is not None and len(encoding) > limit:  # before its ids are made, each of them an object
        raise TooManyTokens(len(encoding))
    return encoding
