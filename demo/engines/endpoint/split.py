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
        pieces, was_whole = self._decode(chunk.entries), not self._pending
        texts = distribute(chunk.text, _align(pieces, number), number)
        is_whole = was_whole and not self._find_pending(chunk.entries)
        return [
            Part(id, text, entry, _is_special(text, entry, is_whole))
            for id, text, entry in zip(ids, texts, entries, strict=True)
        ]

    def _decode(self, entries: Sequence[Entry]) -> list[str]:
        """What each entry's bytes complete, after the character that earlier ones began."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        decoder.decode(self._pending)
        return [decoder.decode(entry.raw) for entry in entries]

    def _find_pending(self, entries: Sequence[Entry]) -> bytes:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for raw in (self._pending, *(entry.raw for entry in entries)):
            decoder.decode(raw)
        self._pending = decoder.getstate()[0]
        return self._pending


def distribute(text: str, pieces: Sequence[str | None], number: int) -> list[str]:
    """The text in `number` parts: `pieces` where they add up to it, also without the end token's; else all in the last.

    An end token is listed with its own text, which is not in the answer.
    """
    for length in (number, number - 1):
        known = [piece for piece in pieces[:length] if piece is not None]
        if number > 1 and len(known) == length and "".join(known) == text:
            return [*known, *[""] * (number - length)]
    return [""] * (number - 1) + [text] if number else []


def _align(known: Sequence[T], number: int) -> list[T | None]:
    """`known` at the end of `number` places."""
    return [*[None] * (number - len(known)), *known]


def _is_special(text: str, entry: Entry | None, is_whole: bool) -> bool:
    """Whether it is no part of the text: as told, else where its whole characters are not in it."""
    if entry is None:
        return False
    return entry.special if entry.special is not None else not text and bool(entry.raw) and is_whole
