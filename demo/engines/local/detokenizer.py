"""Incremental detokenization: from ids to text in whole characters. Knows no model, no tensor."""

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
        text = decode(self._window)
        self._given = len(text)  # characters of the window's text that have been returned
        self.is_inside = text.endswith(INCOMPLETE)  # whether the last token ends inside a character
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
        self.is_inside = readable < len(text)
        if not self.is_inside:
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
