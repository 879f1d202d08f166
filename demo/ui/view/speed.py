"""The speeds that the page offers, and the speed and length of the first race."""

from typing import Final

DEFAULT_LENGTH: Final = 256  # tokens: "Max tokens" as the page opens
REAL_SPEED: Final = 0  # the control's value for real speed
# Tokens/s to which a run can be slowed, and what runs that fast; the race offers those with a description.
PACES: Final = {300: "", 100: "the documentation's example", 30: "a large model in the cloud", 10: "", 3: ""}
RACE_PACES: Final = {pace: description for pace, description in PACES.items() if description}
DEFAULT_PACE: Final = 30  # tokens/s: the first race's pace where real speed is too fast to notice the difference
SHORTEST_RACE: Final = 4.0  # seconds: a race at real speed that is shorter is too fast to notice the difference
LONGEST_RACE: Final = 18.0  # seconds: a slower machine gets a shorter first answer


def list_speeds(rate: float | None) -> list[tuple[str, int]]:
    """Labels and values of the race's speeds; `rate` is the machine's own in tokens/s, None while it is unknown."""
    own = "" if rate is None else f" · {rate:.0f} tokens/s"
    paces = [(f"{pace} tokens/s {_join('· ' + description)}", pace) for pace, description in RACE_PACES.items()]
    return [(f"Real speed{own}", REAL_SPEED), *paces]


def _join(words: str) -> str:
    """The words unbreakable: a narrow label breaks before them, and its style cuts off the second line."""
    return words.replace(" ", "\N{NO-BREAK SPACE}")


def list_paces() -> list[tuple[str, int]]:
    return [("real speed", REAL_SPEED), *((f"{pace} tokens/s", pace) for pace in PACES)]


def choose_pace(rate: float | None) -> int:
    """The first race's speed: real speed only where the default answer takes at least `SHORTEST_RACE`."""
    return REAL_SPEED if rate is not None and DEFAULT_LENGTH / rate >= SHORTEST_RACE else DEFAULT_PACE


def choose_length(rate: float | None) -> int:
    """The first answer's "Max tokens": as many as the machine decodes in `LONGEST_RACE`, at most the default."""
    return DEFAULT_LENGTH if rate is None else max(1, min(DEFAULT_LENGTH, int(LONGEST_RACE * rate)))
