"""Splits a chunk, into which an engine elsewhere may have merged several tokens, into its tokens. Knows no dialect."""

import codecs
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from demo.engines.endpoint.chunk import Chunk, Entry

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Part:
    """One token of a chunk: its id and what is listed of it, where that is told, and the text that it completes."""

    id: int | None
    text: str
    entry: Entry | None
    special: bool


class Splitter:
    """Splits the chunks of one run, in their order.

    How many tokens a chunk has is told by its count, ids or entries, the most of them; the last ones told belong to
    the last tokens. Where the entries' bytes do not add up to the chunk's text, the last token gets all of it.
    """

    def __init__(self) -> None:
        self.generated = 0
        self._pending = b""  # the begun character at the end of all bytes so far

    def split(self, chunk: Chunk) -> list[Part]:
        """The chunk's tokens."""
        counted = 0 if chunk.count is None else chunk.count - self.generated
        number = max(counted, len(chunk.ids), len(chunk.entries), 1 if chunk.text else 0)
        self.generated += number
        ids, entries = _align(chunk.ids, number), _align(chunk.entries, number)
        texts, inside = distribute(chunk.text, _align(self._decode(chunk.entries), number))
        return [
            Part(id, text, entry, _is_special(entry, is_outside=place >= inside))
            for place, (id, text, entry) in enumerate(zip(ids, texts, entries, strict=True))
        ]

    def _decode(self, entries: Sequence[Entry]) -> list[str]:
        """What each entry's bytes complete, after the character that earlier ones began."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        decoder.setstate((self._pending, 0))
        pieces = [decoder.decode(entry.raw) for entry in entries]
        self._pending = decoder.getstate()[0]
        return pieces


def distribute(text: str, pieces: Sequence[str | None]) -> tuple[list[str], int]:
    """The text of each token, and how many tokens are known to be in the text, or may be.

    Those are `pieces`, what each token's bytes complete, where they add up to the text, also without the last: a
    special token is listed with its own text, which is not in the answer. Else the last token gets all of the text.
    """
    number = len(pieces)
    for inside in (number, number - 1):
        known = [piece for piece in pieces[:inside] if piece is not None]
        if number and len(known) == inside and "".join(known) == text:
            return [*known, *[""] * (number - inside)], inside
    return [""] * (number - 1) + [text] * (number > 0), number


def _align(known: Sequence[T], number: int) -> list[T | None]:
    """`known` at the end of `number` places."""
    return [*[None] * (number - len(known)), *known]


def _is_special(entry: Entry | None, is_outside: bool) -> bool:
    """Whether a token is no part of the text: as told, else where its characters are not in it."""
    return entry is not None and (is_outside if entry.special is None else entry.special)
