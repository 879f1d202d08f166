"""Holds tokens back while a stop string may begin in their text, and cuts them where one does. Knows no tokenizer."""

import codecs
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from demo.engines.local.detokenizer import INCOMPLETE
from demo.engines.local.stop_strings import Match, StopStrings
from demo.events import Token


@dataclass(frozen=True, slots=True)
class _Held:
    """A token, and where its text ends: in the answer's text, and in that with the text of special tokens."""

    token: Token
    end: int
    spelled_end: int


class HeldTokens:
    """The tokens in whose text one of `stops` may begin. What leaves them is as it came, unless a stop string cuts it.

    A stop string is found in the answer's text; one that holds the text of a special token, also where that token is.
    """

    def __init__(self, stops: Sequence[str], specials: Collection[str] = ()) -> None:
        self._stops = StopStrings(stops)
        self._spelled = StopStrings([stop for stop in stops if any(special in stop for special in specials)])
        self._beginnings = [stop[0] for stop in stops if not stop[0].isascii()]
        self._part = codecs.getincrementaldecoder("utf-8")("replace")  # of a character that is incomplete
        self._inside = 0  # how many of the last tokens end inside a character
        self._held: deque[_Held] = deque()
        self._end = self._spelled_end = 0

    def feed(self, token: Token, is_inside: bool) -> tuple[Sequence[Token], Match | None]:
        """The tokens that are decided with `token`; all, cut, where a stop string is complete.

        `is_inside`: whether `token` ends inside a character.
        """
        spelled = token.text or (token.candidate.text if token.special else "")
        self._end += len(token.text)
        self._spelled_end += len(spelled)
        self._inside = self._inside + 1 if is_inside else 0
        self._held.append(_Held(token, self._end, self._spelled_end))
        if (match := self._find(token.text, spelled)) is not None:
            return _cut(self._take_all(), match), match
        return list(self._release(self._may_begin_inside(token))), None

    def flush(self) -> Sequence[Token]:
        """The tokens that are held back: no more text follows."""
        return [each.token for each in self._take_all()]

    def _find(self, text: str, spelled: str) -> Match | None:
        visible, other = self._stops.feed(text), self._spelled.feed(spelled)
        return visible or (other and Match(self._find_place(other.start), other.stop))

    def _find_place(self, spelled_at: int) -> int:
        """The place in the answer's text, from that in the text with special tokens."""
        first = next(each for each in self._held if each.spelled_end > spelled_at)
        return first.end - (first.spelled_end - spelled_at if first.token.text else 0)

    def _may_begin_inside(self, token: Token) -> bool:
        """Whether a stop string may begin with the character that is incomplete after `token`."""
        if not self._beginnings:
            return False
        self._part.decode(token.encode())
        part = self._part.getstate()[0]
        return self._inside > 0 and any(
            first == INCOMPLETE or (part and first.encode().startswith(part)) for first in self._beginnings
        )

    def _release(self, begins_inside: bool) -> Iterator[Token]:
        kept = self._inside if begins_inside else 0
        while len(self._held) > kept:
            first = self._held[0]
            if first.end > self._stops.certain or first.spelled_end > self._spelled.certain:
                return
            yield self._held.popleft().token

    def _take_all(self) -> Sequence[_Held]:
        held = tuple(self._held)
        self._held.clear()
        return held


def _cut(held: Sequence[_Held], match: Match) -> list[Token]:
    """All tokens, with their text and bytes before the stop string."""
    # Characters that no bytes stand for, as special tokens and broken ones, leave each token the bytes of its text.
    left = b"".join(each.token.encode() for each in held).find(match.stop.encode())
    is_found = left >= 0
    tokens = []
    for each in held:
        own = each.token.encode()
        text = each.token.text[: max(len(each.token.text) - max(each.end - match.start, 0), 0)]
        tokens.append(_shorten(each.token, text, own[: max(left, 0)] if is_found else text.encode()))
        left -= len(own)
    return tokens


def _shorten(token: Token, text: str, encoded: bytes) -> Token:
    if (text, encoded) == (token.text, token.encode()):
        return token
    return replace(token, text=text, encoded=None if encoded == text.encode() else encoded, own=token.candidate)
