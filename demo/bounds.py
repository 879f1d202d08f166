"""Bounds of the numbers in a request: those that a clock, and float32 and int64 tensors, can represent."""

from dataclasses import dataclass
from typing import Final

from demo.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Bounds:
    """From `low` to `high`, both included."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"between {self.low} and {self.high}"

    def require(self, name: str, number: float | None) -> None:
        """Raise BadRequest where a number is given and out of bounds, as NaN always is."""
        if number is not None and not self.low <= number <= self.high:
            raise BadRequest(f"{name} is {number}: it must be {self}.")


MAX_STOP_SEQUENCES: Final = 4

COUNT: Final = Bounds(1, 2**31 - 1)
TOP_N: Final = Bounds(0, 5)
SEED: Final = Bounds(0, 2**64 - 1)
SCALE: Final = Bounds(1e-30, 1e30)  # a logit multiplied or divided by it is still a finite float32
PENALTY: Final = Bounds(-2, 2)
PACE: Final = Bounds(0.01, 1_000_000)  # tokens/s: a stream of less than one token in 100 s would only occupy a slot
