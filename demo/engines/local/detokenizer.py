"""Detokenization: from ids to text, incrementally in whole characters; and each token by itself.

A token by itself has a text, and its bytes where it is a part of a character. Knows no model, no tensor.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from demo.engines.token_form import decode_form

INCOMPLETE: Final = "\N{REPLACEMENT CHARACTER}"
SPELLINGS: Final = 16_384  # that are kept: a model uses few of its tokens often

Decode = Callable[[Sequence[int]], str]


class Detokenizer:
    """Decodes a sequence token by token. The pieces, joined, equal `decode` of the whole sequence.

    Each step decodes the tokens since the last whole character, after a few of `context` (the end of the prompt), from
    which a tokenizer decides whether a leading space belongs to the text.
    """

    _CONTEXT = 4
    _EDGE = 8  # tokens at each end of a long run that decide whether it ends inside a character of up to 4 bytes

    def __init__(self, decode: Decode, context: Sequence[int] = ()) -> None:
        self._decode = decode
        self._window = list(context[-self._CONTEXT :])
        self._known = len(self._window)  # tokens of the window whose text has been returned in full
        text = decode(self._window)
        self._given = len(text)  # characters of the window's text that have been returned
        self.is_inside = text.endswith(INCOMPLETE)  # whether the last token ends inside a character
        self._last: deque[int] = deque(maxlen=self._EDGE - 1)  # the last tokens with text of a run longer than _EDGE

    def feed(self, token: int) -> str:
        """The text that `token` completes; empty inside a character."""
        self._window.append(token)
        if self._is_inside_long_run(token):
            return ""
        text = self._decode(self._window)
        # An incomplete character decodes to replacement characters at the end of the text: one, or one per byte.
        readable = len(text.rstrip(INCOMPLETE))
        piece = text[self._given : readable]
        self.is_inside = readable < len(text)
        if piece or not self.is_inside:
            # What is incomplete begins within the last token.
            self._slide(len(self._window) - self.is_inside, len(text) - readable)
        return piece

    def flush(self) -> str:
        """The rest of the text: replacement characters where the sequence ends inside a character."""
        return self._decode(self._window)[self._given :]

    def _is_inside_long_run(self, token: int) -> bool:
        """Whether `token` continues a long run without a whole character. Decodes only the run's two ends."""
        first = self._known + self._EDGE
        if len(self._window) <= first:
            return False
        before = [*self._window[:first], *self._last]
        if self._decode([token, token]):  # twice, since a tokenizer may strip a leading space
            self._last.append(token)
        text = self._decode([*before, token])
        return text.endswith(INCOMPLETE) and _count_whole(text) <= _count_whole(self._decode(before))

    def _slide(self, known: int, held_back: int) -> None:
        """Keep a few of the first `known` tokens, whose text has been returned, and those after them.

        The last `held_back` characters have not been returned.
        """
        first = max(self._known, known - 2 * self._EDGE)
        self._window = self._window[first:]
        self._known = known - first
        self._given = len(self._decode(self._window)) - held_back
        self._last.clear()


def _count_whole(text: str) -> int:
    return len(text) - text.count(INCOMPLETE)


@dataclass(frozen=True, slots=True)
class Spelling:
    """The text of a token by itself; `encoded` are its bytes where they are not that text in UTF-8."""

    text: str
    encoded: bytes | None = None

    def encode(self) -> bytes:
        return self.text.encode() if self.encoded is None else self.encoded


Spell: TypeAlias = Callable[[int], Spelling]
Form: TypeAlias = str | bytes | None  # of a token in its vocabulary


def spell_tokens(decode: Decode, find_form: Callable[[int], Form]) -> Spell:
    """The spelling of any id, from a tokenizer's `decode`, special tokens included, and its vocabulary."""

    @lru_cache(SPELLINGS)
    def spell(id: int) -> Spelling:
        text = decode([id])
        if INCOMPLETE not in text:
            return Spelling(_keep_space(text, decode([id, id])))
        encoded = read_form(find_form(id))
        return Spelling(text, None if encoded in (None, text.encode()) else encoded)

    return spell


def read_form(form: Form) -> bytes | None:
    """The bytes that a token's form stands for."""
    return decode_form(form) if isinstance(form, str) else form


def _keep_space(text: str, twice: str) -> str:
    """The text with the leading space that a tokenizer strips from the beginning of what it decodes."""
    return twice[len(text) :] if twice.startswith(text) else text
