"""The plan of a load test."""

from dataclasses import dataclass
from typing import Final

ATTEMPTS: Final = 8  # this and the backoff are those of the README's snippet


@dataclass(frozen=True, slots=True)
class Plan:
    """How many clients send a request at once, how many are answered at once, and whether refused ones retry."""

    clients: int
    limit: int
    retry: bool
    max_new_tokens: int
    seed: int | None = None

    @property
    def attempts(self) -> int:
        """The most requests that one client sends."""
        return ATTEMPTS if self.retry else 1
