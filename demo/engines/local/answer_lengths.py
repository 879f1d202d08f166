"""How long answers are, from those that ended lately: an answer may end before its maximum length. Knows no clock."""

import itertools
from collections import deque
from collections.abc import Hashable
from typing import Final

RECENT: Final = 128  # answers
ENOUGH: Final = 8  # of one client, to look at no other
GOLDEN: Final = 0.6180339887498949  # multiples of it, modulo 1, are spread evenly however many there are


class AnswerLengths:
    """Notes the lengths of answers, in any thread."""

    def __init__(self) -> None:
        self._ended: deque[tuple[Hashable, int, bool]] = deque(maxlen=RECENT)
        self._numbers = itertools.count(1)

    def note(self, client: Hashable, tokens: int, was_cut: bool) -> None:
        """An answer of a client has ended; `was_cut`: at its maximum length."""
        self._ended.append((client, tokens, was_cut))

    def take_rank(self) -> float:
        """Where among all possible lengths a new answer is assumed to be, from 0 to 1.

        If every answer was assumed to have the median length, the first of many would be expected to end too late.
        """
        return self._numbers.__next__() * GOLDEN % 1.0

    def expect(self, client: Hashable, generated: int, most: int, rank: float) -> int:
        """The length of an answer of which so many tokens are there, and which has at most `most`."""
        ended = list(self._ended)
        own = [each for each in ended if each[0] == client]
        lengths = sorted(
            most if was_cut else min(tokens, most)
            for _, tokens, was_cut in (own if len(own) >= ENOUGH else ended)
            if was_cut or tokens > generated
        )
        return max(lengths[int(rank * len(lengths))], generated + 1) if lengths else most
