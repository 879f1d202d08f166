"""From token ids to text that only grows: whole characters, and no stop string. Knows no model and no tensor."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

INCOMPLETE: Final = "\N{REPLACEMENT CHARACTER}"

Decode = Callable[[Sequence[int]], str]


class Detokenizer:
    """Decodes one sequence step by step: the pieces, joined, are what `decode` gives for all of it.

    Only the tokens since the last whole character are decoded again, after a few of `context` (the end of
    the prompt) that tell a tokenizer whether a leading space belongs to the text.
    """

    _CONTEXT = 4
    _EDGE = 8  # tokens at each end of a long run that decide whether it ends inside a character: UTF-8 takes 4 bytes

    def __init__(self, decode: Decode, context: Sequence[int] = ()) -> None:
        self._decode = decode
        self._window = list(context[-self._CONTEXT :])
        self._known = len(self._window)  # tokens of the window whose text has been given in full
        self._given = len(decode(self._window))
        self._last: deque[int] = deque(maxlen=self._EDGE)  # of a run longer than its first _EDGE, those with text

    def feed(self, token: int) -> str:
        """The text that becomes readable with `token`; empty inside a character."""
        self._window.append(token)
        if self._is_inside_long_run(token):
            return ""
        text = self._decode(self._window)
        # Bytes of an unfinished character decode to replacement characters at the very end: one, or one a byte.
        readable = len(text.rstrip(INCOMPLETE))
        piece = text[self._given : readable]
        if readable == len(text):
            self._slide()
        else:
            self._given = max(self._given, readable)
        return piece

    def flush(self) -> str:
        """What is left at the end: replacement characters, where a character was cut off."""
        return self._decode(self._window)[self._given :]

    def _is_inside_long_run(self, token: int) -> bool:
        """Whether a long run without a whole character goes on with `token`, found without decoding all of it."""
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
    """Passes text through until one of `stops` appears, and never shows any of it."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._matchers = [_Matcher(stop) for stop in stops]
        self._held = ""

    def feed(self, text: str) -> tuple[str, bool]:
        """The text that can't be part of a stop string, and whether one has been completed."""
        before = len(self._held)
        self._held += text
        found = [before + at for matcher in self._matchers if (at := matcher.find(text)) is not None]
        begun = max((matcher.matched for matcher in self._matchers), default=0)
        safe = min(found) if found else len(self._held) - begun
        visible, self._held = self._held[:safe], "" if found else self._held[safe:]
        return visible, bool(found)

    def flush(self) -> str:
        """What was held back in case a stop string had begun."""
        held, self._held = self._held, ""
        return held


class _Matcher:
    """Finds one string in a text that comes in pieces, in time that grows with the text only (Knuth-Morris-Pratt)."""

    def __init__(self, stop: str) -> None:
        self.matched = 0  # characters at the text's end that begin the string
        self._stop = stop
        self._borders = [0]  # of the string's first n characters, the longest proper prefix that ends them too

    def find(self, text: str) -> int | None:
        """Where the string begins, counted from `text`'s start and so possibly before it; None where it does not end
        in this piece.
        """
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
