"""Generation options: the page's controls with the speeds that it offers, and what a request gets from their values."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias

from demo.errors import BadRequest
from demo.request import SEED, Sampling

ControlValue: TypeAlias = float | str | None

DEFAULT_LENGTH: Final = 256  # tokens: "Max tokens" as the page opens
REAL_SPEED: Final = 0  # the control's value for real speed
# Tokens/s to which a run can be slowed, and what runs that fast; the race offers those with a description.
PACES: Final = {300: "", 100: "the documentation's example", 30: "a large model in the cloud", 10: "", 3: ""}
RACE_PACES: Final = {pace: description for pace, description in PACES.items() if description}
DEFAULT_PACE: Final = 30  # tokens/s: the first race's pace where real speed is too fast to notice the difference
SHORTEST_RACE: Final = 4.0  # seconds: a race at real speed that is shorter is too fast to notice the difference
LONGEST_RACE: Final = 18.0  # seconds: a slower machine gets a shorter first answer


class Slider(NamedTuple):
    """One slider of the controls."""

    label: str
    info: str
    default: float
    low: float
    high: float
    step: float


# As the page opens: temperature and top p are what the card of the embedded model names; without the penalty a model
# this small soon repeats itself.
SLIDERS: Final = {
    "length": Slider("Max tokens", "the longest answer", DEFAULT_LENGTH, 1, 1024, 1),
    "temperature": Slider("Temperature", "0 is greedy decoding", 0.2, 0, 2, 0.05),
    "top_p": Slider("Top p", "1 is off", 0.9, 0.05, 1, 0.05),
    "top_k": Slider("Top k", "0 is off", 0, 0, 100, 1),
    "repetition": Slider("Repetition penalty", "1 is off", 1.1, 1, 2, 0.05),
    "frequency": Slider("Frequency penalty", "0 is off", 0, -2, 2, 0.1),
}
# All controls in the order in which listeners and links get their values, each with its value as the page opens.
DEFAULTS: Final[dict[str, float | str]] = {
    **{name: slider.default for name, slider in SLIDERS.items()},
    "seed": "1",  # always the same, so that a lesson repeats
    "pace": DEFAULT_PACE,
}


@dataclass(frozen=True, slots=True)
class GenerationOptions:
    """How an answer is generated. `pace` is a rate in tokens/s to which it is slowed, None for real speed."""

    max_new_tokens: int = DEFAULT_LENGTH
    sampling: Sampling = field(default_factory=Sampling)
    pace: float | None = None


def read_options(values: Sequence[ControlValue]) -> GenerationOptions:
    """The options that the controls' values, in the order of `DEFAULTS`, stand for. Raises BadRequest."""
    given = {name: DEFAULTS[name] if value is None else value for name, value in zip(DEFAULTS, values, strict=True)}
    numbers = {name: float(value) for name, value in given.items() if name != "seed"}
    random: dict[str, Any] = {
        "do_sample": True,
        "temperature": numbers["temperature"],
        "top_p": None if numbers["top_p"] == 1 else numbers["top_p"],
        "top_k": int(numbers["top_k"]) or None,
    }
    sampling = Sampling(
        **(random if numbers["temperature"] else {}),
        repetition_penalty=numbers["repetition"],
        frequency_penalty=numbers["frequency"],
        seed=_read_seed(str(given["seed"]).strip()),
    )
    return GenerationOptions(int(numbers["length"]), sampling, numbers["pace"] or None)


def _read_seed(text: str) -> int | None:
    if not text:
        return None
    if not re.fullmatch(r"-?\d{1,20}", text):  # int() refuses 5,000 digits with an error of its own
        raise BadRequest(f"seed is {text}: it must be a whole number {SEED}, or empty for a new one each time.")
    return int(text)


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
