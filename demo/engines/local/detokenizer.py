"""Incremental detokenization: from ids to text in whole characters, without stop strings. Knows no model, no tensor."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

INCOMPLETE: Final = "\N{REPLACEMENT CHARACTER}"

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
        self._given = len(decode(self._window))  # characters of the window's text that have been returned
        self._last: deque[int] = deque(maxlen=self._EDGE)  # the last tokens with text of a run longer than _EDGE

    def feed(self, token: int) -> str:
        """The text that `token` completes; empty inside a character."""
        self._window.append(token)
        if self._is_inside_long_run(token):
            return ""
        text = self._decode(self._window)
        # An incomplete character decodes to replacement characters at the end of the text: one, or one per byte.
        readable = len(text.rstrip(INCOMPLETE))
        piece = text[self._given : readable]
        if readable == len(text):
            self._slide()
        else:
            self._given = max(self._given, readable)
        return piece

    def flush(self) -> str:
        """The rest of the text: replacement characters where the sequence ends inside a character."""
        return self._decode(self._window)[self._given :]

    def _is_inside_long_run(self, token: int) -> bool:
        """Whether `token` continues a long run without a whole character. Decodes only the run's two ends."""
        first = self._known + self._EDGE
        if len(self._window) <= first:
            return False
        if self._decode([token, token]):  # twice, since a tokenizer may strip a leading space
            self._last.append(token)
        return self._decode([*self._window[:first], *self._last]).endswith(INCOMPLETE)

    def _slide(self) -> None:
        self._window = self._window[self._known :][-2 * self._EDGE :]
        self._known = len(self._window)
        self._given = len(self._decode(self._window))
        self._last.clear()


class StopStrings:
    """Returns text up to the first of `stops`. It holds back text that may be the beginning of one."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._matchers = [_Matcher(stop) for stop in stops]
        self._held = ""

    def feed(self, text: str) -> tuple[str, bool]:
        """The text that no stop string can contain, and whether a stop string is complete."""
        before = len(self._held)
        self._held += text
        found = [before + at for matcher in self._matchers if (at := matcher.find(text)) is not None]
        begun = max((matcher.matched for matcher in self._matchers), default=0)
        safe = min(found) if found else len(self._held) - begun
        visible, self._held = self._held[:safe], "" if found else self._held[safe:]
        return visible, bool(found)

    def flush(self) -> str:
        """The text that is held back."""
        held, self._held = self._held, ""
        return held


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
