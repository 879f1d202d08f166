"""A loop at the end of a sequence of tokens: the same tokens again and again, as small models fall into."""

from collections.abc import Sequence
from typing import Final

LONGEST_PERIOD: Final = 64  # tokens
COPIES: Final = 4  # at least
SHORTEST_LOOP: Final = 48  # tokens: a row of dashes in a table is shorter


def find_period(tokens: Sequence[object]) -> int | None:
    """The period p of the loop in which `tokens` end, the smallest there is; None where they end in none.

    They do where the last n of them are copies of the same p, with p ≤ `LONGEST_PERIOD`, n ≥ `COPIES` · p and
    n ≥ `SHORTEST_LOOP`. The last copy may be incomplete.
    """
    return next((period for period in range(1, LONGEST_PERIOD + 1) if _is_loop(tokens, period)), None)


def _is_loop(tokens: Sequence[object], period: int) -> bool:
    size = max(SHORTEST_LOOP, COPIES * period)
    if len(tokens) < size or tokens[-1] != tokens[-1 - period]:
        return False
    return tokens[-size:-period] == tokens[period - size :]
