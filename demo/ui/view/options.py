"""Generation options: the page's controls, and what a request gets from their values."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias

from demo.errors import BadRequest
from demo.request import SEED, Sampling
from demo.ui.view.speed import DEFAULT_LENGTH, DEFAULT_PACE

ControlValue: TypeAlias = float | str | None


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
