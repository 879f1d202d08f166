"""The speeds that the page offers, and the one with which its first race is run. Pure."""

from typing import Final

DEFAULT_LENGTH: Final = 256  # tokens: the longest answer when nobody has chosen
REAL: Final = 0  # the position of real speed
# Tokens/s to which a run can be slowed, and whose pace that is; the race offers those that are somebody's.
PACES: Final = {300: "", 100: "the documentation's example", 30: "a large model in the cloud", 10: "", 3: ""}
SLOWED: Final = {pace: whose for pace, whose in PACES.items() if whose}
FELT: Final = 30  # tokens/s: the first race's pace where real speed is too fast to be felt
SHORTEST_RACE: Final = 4.0  # seconds: at real speed a shorter one is too fast to be felt
LONGEST_RACE: Final = 18.0  # seconds: a slower machine gives a shorter first answer


def list_speeds(rate: float | None) -> list[tuple[str, int]]:
    """Labels and positions of the radio group; `rate` is the machine's own in tokens/s, None while it is unknown."""
    own = "" if rate is None else f" · {rate:.0f} tokens/s"
    return [(f"Real speed{own}", REAL), *((f"{pace} tokens/s · {whose}", pace) for pace, whose in SLOWED.items())]


def list_paces() -> list[tuple[str, int]]:
    """Labels and positions of every speed there is."""
    return [("real speed", REAL), *((f"{pace} tokens/s", pace) for pace in PACES)]


def choose_pace(rate: float | None) -> int:
    """The position when nobody has chosen: real speed only where the default answer takes long enough to be felt."""
    return REAL if rate is not None and DEFAULT_LENGTH / rate >= SHORTEST_RACE else FELT


def choose_length(rate: float | None) -> int:
    """How many tokens the first answer may have, so that it ends in time on a slow machine too."""
    return DEFAULT_LENGTH if rate is None else max(1, min(DEFAULT_LENGTH, int(LONGEST_RACE * rate)))
