"""Splits a chunk, into which an engine elsewhere may have merged several tokens, into its tokens. Knows no dialect."""

import codecs
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
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
    encoded: bytes | None = None  # its bytes of the text, where they are not `text`
    reasoned: int = 0  # characters at the beginning of the text that are reasoning


class Splitter:
    """Splits the chunks of one run, in their order.

    How many tokens a chunk has is told by its count, ids or entries, the most of them; the last ones told belong to
    the last tokens. Where the entries' bytes do not add up to the chunk's text, the last token gets all of it.
    """

    def __init__(self) -> None:
        self.generated = 0
        self._pending = b""  # the begun character at the end of all bytes so far

    def split(self, chunk: Chunk) -> list[Part]:
        counted = 0 if chunk.count is None else chunk.count - self.generated
        number = max(counted, len(chunk.ids), len(chunk.entries), 1 if chunk.text else 0)
        self.generated += number
        ids, entries = _align(chunk.ids, number), _align(chunk.entries, number)
        texts, inside = distribute(chunk.text, _align(self._decode(chunk.entries), number))
        ends = itertools.accumulate(map(len, texts))
        return [
            replace(
                _make_part(id, text, entry, None if inside is None else place < inside),
                reasoned=min(max(chunk.reasoned - end + len(text), 0), len(text)),
            )
            for place, (id, text, entry, end) in enumerate(zip(ids, texts, entries, ends, strict=True))
        ]

    def _decode(self, entries: Sequence[Entry]) -> list[str]:
        """What each entry's bytes complete, after the character that earlier ones began."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        decoder.setstate((self._pending, 0))
        pieces = [decoder.decode(entry.raw) for entry in entries]
        self._pending = decoder.getstate()[0]
        return pieces


def distribute(text: str, pieces: Sequence[str | None]) -> tuple[list[str], int | None]:
    """The text of each token, and how many tokens make up the text; None where that is not known.

    Those are `pieces`, what each token's bytes complete, where they add up to the text, also without the last: a
    special token is listed with its own text, which is not in the answer. Else the last token gets all of the text.
    """
    number = len(pieces)
    for inside in (number, number - 1):
        known = [piece for piece in pieces[:inside] if piece is not None]
        if number and len(known) == inside and "".join(known) == text:
            return [*known, *[""] * (number - inside)], inside
    return [""] * (number - 1) + [text] * (number > 0), None


def _align(known: Sequence[T], number: int) -> list[T | None]:
    """`known` at the end of `number` places."""
    return [*[None] * (number - len(known)), *known]


def _make_part(id: int | None, text: str, entry: Entry | None, is_inside: bool | None) -> Part:
    """A token. It is special as told, else where its characters are not in the text."""
    if entry is None:
        return Part(id, text, None, special=False)
    special = is_inside is False if entry.special is None else entry.special
    is_part = is_inside and not special and entry.raw != text.encode()
    return Part(id, text, entry, special, entry.raw if is_part else None)
