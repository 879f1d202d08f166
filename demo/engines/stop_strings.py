"""Finds stop strings in a text that arrives in pieces. Knows no tokens."""

from collections.abc import Sequence
from typing import NamedTuple


class Match(NamedTuple):
    """A stop string, and where it begins in the text."""

    start: int
    stop: str


class StopStrings:
    """Finds the first of `stops`. The first `certain` characters of the text can belong to none, whatever follows."""

    def __init__(self, stops: Sequence[str]) -> None:
        self.certain = 0
        self._length = 0
        self._matchers = [_Matcher(stop) for stop in stops]

    def feed(self, text: str) -> Match | None:
        """The stop string that is complete with `text`: of several, the one that begins first."""
        begun, first = 0, None
        for matcher in self._matchers:
            at = matcher.find(text)
            if at is not None and (first is None or self._length + at < first.start):
                first = Match(self._length + at, matcher.stop)
            begun = max(begun, matcher.matched)
        self._length += len(text)
        self.certain = self._length - begun
        return first


class _Matcher:
    """Finds one string in a text that arrives in pieces, in time linear in the text (Knuth-Morris-Pratt)."""

    def __init__(self, stop: str) -> None:
        self.stop = stop
        self.matched = 0  # characters of the string that the text ends with
        self._borders = [0]  # by n - 1: the longest proper prefix that is a suffix of the string's first n characters

    def find(self, text: str) -> int | None:
        """Where the string begins, relative to `text`, so negative in an earlier piece; None unless it ends here."""
        if not self.matched and self.stop[0] not in text:
            return None
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
