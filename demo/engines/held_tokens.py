"""Holds tokens back while a stop string may begin in their text, and cuts them where one does. Knows no tokenizer."""

import codecs
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from demo.engines.stop_strings import Match, StopStrings
from demo.events import Token

BROKEN: Final = "\N{REPLACEMENT CHARACTER}"  # what decoding shows of a character that is incomplete


@dataclass(frozen=True, slots=True)
class _Held:
    """A token, and where its text ends: in the answer's text, and in that with the text of special tokens.

    `reach` is where the last character ends of which it has a byte.
    """

    token: Token
    end: int
    spelled_end: int
    reach: int


class HeldTokens:
    """The tokens in whose text one of `stops` may begin. What leaves them is as it came, unless a stop string cuts it.

    With `keeps_stop` it is cut behind the stop string, not before it. A stop string is found in the answer's text; one
    that holds the text of a special token, also where that token is.
    """

    def __init__(self, stops: Sequence[str], specials: Collection[str] = (), keeps_stop: bool = False) -> None:
        self._keeps_stop = keeps_stop
        self._stops = StopStrings(stops)
        spelled = [stop for stop in stops if any(special in stop for special in specials)]
        self._spelled = StopStrings(spelled) if spelled else None
        self._beginnings = [stop[0] for stop in stops if not stop[0].isascii()]
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._inside = 0  # how many of the last tokens end inside a character
        self._held: deque[_Held] = deque()
        self._end = self._spelled_end = self._read = 0

    def feed(
        self, token: Token, spelled: str | None = None, is_inside: bool = False
    ) -> tuple[Sequence[Token], Match | None]:
        """The tokens that are decided with `token`; all, cut, where a stop string is complete.

        `spelled` is its text where it is special; `is_inside`: whether its text ends inside a character.
        """
        spelled = token.text if spelled is None else spelled
        self._end += len(token.text)
        self._spelled_end += len(spelled)
        self._inside = self._inside + 1 if is_inside else 0
        match = self._stops.feed(token.text)
        reach = self._find_reach(token) if self._beginnings else self._end
        if match is None and self._spelled is None and not self._held and reach <= self._stops.certain:
            return (token,), None
        self._held.append(_Held(token, self._end, self._spelled_end, reach))
        match = match or self._find_spelled(spelled)
        return (list(self._release()) if match is None else _cut(self._take_all(), match, self._keeps_stop)), match

    def flush(self) -> Sequence[Token]:
        """The tokens that are held back: no more text follows."""
        return [each.token for each in self._take_all()]

    def _find_spelled(self, spelled: str) -> Match | None:
        match = None if self._spelled is None else self._spelled.feed(spelled)
        return match and Match(self._find_place(match.start), match.stop)

    def _find_place(self, spelled_at: int) -> int:
        """The place in the answer's text, from that in the text with special tokens."""
        first = next(each for each in self._held if each.spelled_end > spelled_at)
        return first.end - (first.spelled_end - spelled_at if first.token.text else 0)

    def _find_reach(self, token: Token) -> int:
        self._read += len(self._decoder.decode(token.encode()))
        if not self._inside:
            self._read = self._end
        return self._read + bool(self._decoder.getstate()[0])

    def _release(self) -> Iterator[Token]:
        undecided = self._inside if self._may_begin_inside() else 0
        while len(self._held) > undecided:
            first = self._held[0]
            end = first.end if len(self._held) <= self._inside else first.reach
            if end > self._stops.certain or (self._spelled and first.spelled_end > self._spelled.certain):
                return
            yield self._held.popleft().token

    def _may_begin_inside(self) -> bool:
        """Whether a stop string may begin with the character that is incomplete."""
        part = self._decoder.getstate()[0]
        return any(first == BROKEN or (part and first.encode().startswith(part)) for first in self._beginnings)

    def _take_all(self) -> Sequence[_Held]:
        held = tuple(self._held)
        self._held.clear()
        return held


def _cut(held: Sequence[_Held], match: Match, keeps_stop: bool) -> list[Token]:
    """All tokens, with their text and bytes before the stop string, or to its end."""
    # Characters that no bytes stand for, as special tokens and broken ones, leave each token the bytes of its text.
    left = b"".join(each.token.encode() for each in held).find(match.stop.encode())
    is_found = left >= 0
    end = match.start
    if keeps_stop:
        end, left = end + len(match.stop), left + len(match.stop.encode())
    tokens = []
    for each in held:
        own = each.token.encode()
        text = each.token.text[: max(len(each.token.text) - max(each.end - end, 0), 0)]
        tokens.append(_shorten(each.token, text, own[: max(left, 0)] if is_found else text.encode()))
        left -= len(own)
    return tokens


def _shorten(token: Token, text: str, encoded: bytes) -> Token:
    if (text, encoded) == (token.text, token.encode()):
        return token
    encoded_apart = None if encoded == text.encode() else encoded
    reasoned = min(token.reasoned, len(text))
    return replace(token, text=text, encoded=encoded_apart, own=token.candidate, reasoned=reasoned)
