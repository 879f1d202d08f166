"""The `tokenizers` library: ids and places of a text, without holding up other threads. Knows no chat template."""

from typing import Final

from tokenizers import Encoding, Tokenizer

from demo.engine import Piece
from demo.engines.local.tokenizer import TooManyTokens

# Characters. `encode` holds the GIL to its end; `encode_batch` does not, but must wait to get it back.
LONG_TEXT: Final = 4096


def encode(backend: Tokenizer, text: str, raw: bool, limit: int | None) -> list[int]:
    """As Tokenizer.encode."""
    if len(text) < LONG_TEXT:
        encoding = backend.encode(text, add_special_tokens=raw)
    else:
        encoding = backend.encode_batch_fast([text], add_special_tokens=raw)[0]  # notes no places, in half the memory
    _check_count(encoding, limit)
    return encoding.ids


def locate(backend: Tokenizer, text: str, raw: bool, limit: int | None, first: int) -> tuple[Piece, ...]:
    """As Tokenizer.locate."""
    if len(text) < LONG_TEXT:
        encoding = backend.encode(text, add_special_tokens=raw)
    else:
        encoding = backend.encode_batch([text], add_special_tokens=raw)[0]
    _check_count(encoding, limit)
    # One by one: `offsets` would hold the GIL until all are there. A token that belongs to no text has no place.
    places = (encoding.token_to_chars(index) or (0, 0) for index in range(first, len(encoding)))
    return tuple(Piece(id, start, stop) for id, (start, stop) in zip(encoding.ids[first:], places, strict=True))


def _check_count(encoding: Encoding, limit: int | None) -> None:
    """Before its ids are made, each of them an object."""
    if limit is not None and len(encoding) > limit:
        raise TooManyTokens(len(encoding))
