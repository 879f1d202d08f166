"""Cuts tokens at the first stop string, which may begin in an earlier token. Knows no engine and no dialect."""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from demo.events import Token


class StopCutter:
    """Holds back whole tokens while a stop string may have begun in their text; the others pass as they are.

    `found` is the stop string that ends the text. The text ends before it, or with it where it is kept.
    """

    def __init__(self, stops: Sequence[str], keeps_stop: bool = False) -> None:
        self.found: str | None = None
        self._keeps_stop = keeps_stop
        self._matchers = [_Matcher(stop) for stop in stops]
        self._held: deque[Token] = deque()
        self._length = 0  # characters that are held back

    def feed(self, token: Token) -> list[Token]:
        """The tokens that no stop string can contain; where one is found, all of them, their texts cut before it."""
        starts = [(at, each.stop) for each in self._matchers if (at := each.find(token.text)) is not None]
        start, stop = min(starts, default=(0, None))
        start += self._length
        self._held.append(token)
        self._length += len(token.text)
        if stop is not None:
            self.found = stop
            return self._cut(start + len(stop) if self._keeps_stop else start)
        return self._release(self._length - max((each.matched for each in self._matchers), default=0))

    def flush(self) -> list[Token]:
        """The tokens that are held back: the text ends without a stop string."""
        return self._release(self._length)

    def _release(self, safe: int) -> list[Token]:
        released = []
        while self._held and len(self._held[0].text) <= safe:
            released.append(token := self._held.popleft())
            safe -= len(token.text)
            self._length -= len(token.text)
        return released

    def _cut(self, at: int) -> list[Token]:
        cut = []
        while self._held:
            token = self._held.popleft()
            cut.append(_shorten(token, max(at, 0)) if at < len(token.text) else token)
            at -= len(token.text)
        return cut


def _shorten(token: Token, length: int) -> Token:
    """The token with the beginning of its text, and what it is by itself."""
    return replace(token, text=token.text[:length], encoded=None, own=token.candidate)


class _Matcher:
    """Finds one string in a text that arrives in pieces, in time linear in the text (Knuth-Morris-Pratt)."""

    def __init__(self, stop: str) -> None:
        self.matched = 0  # characters of the string that the text ends with
        self.stop = stop
        self._borders = [0]  # by n - 1: the longest proper prefix that is a suffix of the first n characters

    def find(self, text: str) -> int | None:
        """Where the string begins, relative to `text`; None unless it ends in it."""
        for at, character in enumerate(text):
            self.matched = self._extend(self.matched, character)
            if self.matched == len(self.stop):
                return at + 1 - self.matched
            if self.matched > len(self._borders):
                self._borders.append(self._extend(self._borders[-1], character))
        return None

    def _extend(self, length: int, character: str) -> int:
        while length and self.stop[length] != character:
            length = self._borders[length - 1]
        return length + (self.stop[length] == character)
