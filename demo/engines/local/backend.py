"""The `tokenizers` library: ids and places of a text, without holding up other threads. Knows no chat template."""

from collections.abc import Callable
from typing import Any, Final

from tokenizers import Encoding, Tokenizer

from demo.engine import Piece
from demo.engines.local.tokenizer import TooManyTokens

# Characters. `encode` holds the GIL to its end; `encode_batch` does not, but must wait to get it back.
LONG_TEXT: Final = 4096


def encode(backend: Tokenizer, text: str, raw: bool, limit: int | None) -> list[int]:
    """As Tokenizer.encode."""
    # The fast one notes no places, in half the memory.
    return _read(backend, backend.encode_batch_fast, text, raw, limit).ids


def locate(backend: Tokenizer, text: str, raw: bool, limit: int | None, first: int) -> tuple[Piece, ...]:
    """As Tokenizer.locate."""
    encoding = _read(backend, backend.encode_batch, text, raw, limit)
    # One by one: `offsets` would hold the GIL until all are there. A token that belongs to no text has no place.
    places = (encoding.token_to_chars(index) or (0, 0) for index in range(first, len(encoding)))
    return tuple(Piece(id, start, stop) for id, (start, stop) in zip(encoding.ids[first:], places, strict=True))


def _read(backend: Tokenizer, read_batch: Callable[..., Any], text: str, raw: bool, limit: int | None) -> Encoding:
    is_long = len(text) >= LONG_TEXT
    encoding: Encoding = (
        read_batch([text], add_special_tokens=raw)[0] if is_long else backend.encode(text, add_special_tokens=raw)
    )
    if limit is not None and len(encoding) > limit:  # before its ids are made, each of them an object
        raise TooManyTokens(len(encoding))
    return encoding
