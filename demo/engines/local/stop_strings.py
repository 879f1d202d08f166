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
        self._stops = stops
        self._matchers = [_Matcher(stop) for stop in stops]

    def feed(self, text: str) -> Match | None:
        """The stop string that is complete with `text`: of several, the one that begins first."""
        found = [
            Match(self._length + at, stop)
            for matcher, stop in zip(self._matchers, self._stops, strict=True)
            if (at := matcher.find(text)) is not None
        ]
        self._length += len(text)
        self.certain = self._length - max((matcher.matched for matcher in self._matchers), default=0)
        return min(found, key=lambda match: match.start, default=None)


class _Matcher:
    """Finds one string in a text that arrives in pieces, in time linear in the text (Knuth-Morris-Pratt)."""

    def __init__(self, stop: str) -> None:
        self.matched = 0  # characters of the string that the text ends with
        self._stop = stop
        self._borders = [0]  # by n - 1: the longest proper prefix that is a suffix of the string's first n characters

    def find(self, text: str) -> int | None:
        """Where the string begins, relative to `text`, so negative in an earlier piece; None unless it ends here."""
        for at, character in enumerate(text):
            self.matched = self._extend(self.matched, character)
            if self.matched == len(self._stop):
                return at + 1 - self.matched
            if self.matched > len(self._borders):
                self._borders.append(self._extend(self._borders[-1], character))
        return None

    def _extend(self, length: int, character: str) -> int:
        while length and self._stop[length] != character:
            length = self._borders[length - 1]
        return length + (self._stop[length] == character)
