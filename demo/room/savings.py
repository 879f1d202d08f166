"""What stopping early saves: the tokens and seconds of a run that each phone did without. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from typing_extensions import TypedDict


@dataclass(frozen=True, slots=True)
class Stop:
    """When a phone stopped, in seconds since the run was asked for, and the tokens that it had then."""

    tokens: int
    seconds: float


class Savings(TypedDict):
    """Of all phones that stopped. `at_least`: the run was cancelled since nobody read it any more."""

    stopped: int
    tokens_saved: int
    seconds_saved: float
    at_least: bool


def add_savings(stops: Iterable[Stop], tokens: int, seconds: float, at_least: bool = False) -> Savings:
    """The sum over the stops, for a run that has made so many tokens in so many seconds."""
    made = list(stops)
    return {
        "stopped": len(made),
        "tokens_saved": sum(max(tokens - stop.tokens, 0) for stop in made),
        "seconds_saved": round(sum(max(seconds - stop.seconds, 0.0) for stop in made), 3),
        "at_least": at_least,
    }
