"""Generation options: from the controls' positions to what a request asks for. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from demo.bounds import SEED
from demo.errors import BadRequest
from demo.events import Sampling
from demo.ui.view.speed import DEFAULT_LENGTH, FELT

Position: TypeAlias = float | str | None

DEFAULT_REPETITION_PENALTY = 1.1  # without one a model this small repeats itself before long
MAX_LENGTH = 1024
# Where each dial stands at first, in the order in which `read_options` takes their positions.
DEFAULTS: Final[dict[str, float | str]] = {
    "length": DEFAULT_LENGTH,
    "temperature": 0,
    "top_p": 1,
    "top_k": 0,
    "repetition": DEFAULT_REPETITION_PENALTY,
    "frequency": 0,
    "seed": "",
    "pace": FELT,
}
# From where to where each slider goes, and in which steps.
RANGES: Final = {
    "length": (1, MAX_LENGTH, 1),
    "temperature": (0, 2, 0.05),
    "top_p": (0.05, 1, 0.05),
    "top_k": (0, 100, 1),
    "repetition": (1, 2, 0.05),
    "frequency": (-2, 2, 0.1),
}


@dataclass(frozen=True, slots=True)
class GenerationOptions:
    """How an answer is to be given. `pace` is a rate in tokens/s to which it is slowed down, None for real speed."""

    max_new_tokens: int = DEFAULT_LENGTH
    sampling: Sampling = field(default_factory=Sampling)
    pace: float | None = None


def read_options(positions: Sequence[Position]) -> GenerationOptions:
    """The options that the controls stand for. Raises BadRequest where a value is out of its range."""
    length, temperature, top_p, top_k, repetition, frequency, seed, pace = positions
    common = Sampling(
        repetition_penalty=_number(repetition, 1.0),
        frequency_penalty=_number(frequency, 0.0),
        seed=_read_seed(str(seed or "").strip()),
    )
    chosen = _number(temperature, 0.0)
    sampling = common if chosen == 0 else _add_sampling(common, chosen, top_p, top_k)
    return GenerationOptions(int(_number(length, DEFAULT_LENGTH)), sampling, _number(pace, 0.0) or None)


def _add_sampling(common: Sampling, temperature: float, top_p: Position, top_k: Position) -> Sampling:
    return replace(
        common,
        do_sample=True,
        temperature=temperature,
        top_p=None if _number(top_p, 1.0) == 1 else _number(top_p, 1.0),
        top_k=int(_number(top_k, 0.0)) or None,
    )


def _read_seed(text: str) -> int | None:
    if not text:
        return None
    if not re.fullmatch(r"-?\d{1,20}", text):  # as long as the longest seed: Python reads no number of 5,000 digits
        raise BadRequest(f"seed is {text}: it must be a whole number {SEED}, or empty for a new one each time.")
    return int(text)


def _number(position: Position, default: float) -> float:
    return default if position is None else float(position)
