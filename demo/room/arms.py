"""Which phones receive the answer streamed, and which whole: at random, and balanced."""

import random
from collections import Counter
from typing import Literal, TypeAlias

from demo.room.phone import ARMS, Arm

Draw: TypeAlias = Literal["random", "streamed", "whole"]


class ArmDraw:
    """The draw of one round: the smaller arm first, a coin where they are equal; or one arm for all.

    Of each two phones that are drawn one after the other, one gets each arm (permuted blocks of two).
    """

    def __init__(self, draw: Draw, source: random.Random | None = None) -> None:
        self._draw = draw
        self._random = source or random.SystemRandom()
        self._counts: Counter[Arm] = Counter()

    def next(self) -> Arm:
        arm = self._choose()
        self._counts[arm] += 1
        return arm

    def count(self) -> dict[Arm, int]:
        return {arm: self._counts[arm] for arm in ARMS}

    def _choose(self) -> Arm:
        if self._draw != "random":
            return self._draw
        streamed, whole = (self._counts[arm] for arm in ARMS)
        if streamed == whole:
            return self._random.choice(ARMS)
        return "streamed" if streamed < whole else "whole"
