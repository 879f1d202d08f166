"""Cuts tokens at the first stop string, which may begin in an earlier token. Knows no engine and no dialect."""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from demo.engines.stop_strings import StopStrings
from demo.events import Token


class StopCutter:
    """Holds back whole tokens while a stop string may have begun in their text; the others pass as they are.

    `found` is the stop string that ends the text. The text ends before it, or with it where it is kept.
    """

    def __init__(self, stops: Sequence[str], keeps_stop: bool = False) -> None:
        self.found: str | None = None
        self._keeps_stop = keeps_stop
        self._stops = StopStrings(stops)
        self._held: deque[Token] = deque()
        self._begin = 0  # where the text of those that are held back begins

    def feed(self, token: Token) -> list[Token]:
        """The tokens that no stop string can contain; where one is found, all of them, their texts cut before it."""
        match = self._stops.feed(token.text)
        self._held.append(token)
        if match is None:
            return self._release(self._stops.certain)
        self.found = match.stop
        return self._cut(match.start + (len(match.stop) if self._keeps_stop else 0))

    def flush(self) -> list[Token]:
        """The tokens that are held back: the text ends without a stop string."""
        held = list(self._held)
        self._held.clear()
        return held

    def _release(self, certain: int) -> list[Token]:
        released = []
        while self._held and self._begin + len(self._held[0].text) <= certain:
            released.append(token := self._held.popleft())
            self._begin += len(token.text)
        return released

    def _cut(self, end: int) -> list[Token]:
        cut = []
        for token in self.flush():
            room = end - self._begin
            cut.append(_shorten(token, max(room, 0)) if room < len(token.text) else token)
            self._begin += len(token.text)
        return cut


def _shorten(token: Token, length: int) -> Token:
    """The token with the beginning of its text, and what it is by itself."""
    reasoned = min(token.reasoned, length)
    return replace(token, text=token.text[:length], encoded=None, own=token.candidate, reasoned=reasoned)
