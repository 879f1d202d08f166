"""The common prefix of two sequences of token ids."""

from collections.abc import Sequence
from itertools import takewhile


def count_common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many ids both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
