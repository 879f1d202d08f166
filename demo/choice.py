"""A value that was chosen, and the reason for it."""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Choice(Generic[T]):
    """A value that was chosen, automatically or by a setting, and the reason: a line of the log."""

    name: str
    value: T
    reason: str

    def __str__(self) -> str:
        return f"{self.name}={self.value} ({self.reason})"
