"""The dials: the speed, and in a drawer length, temperature, seed and more; from their positions to a Manner."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Final, TypeAlias

import gradio as gr

from demo.bounds import SEED
from demo.errors import BadRequest
from demo.events import Sampling
from demo.ui.speed import DEFAULT_LENGTH, FELT

Position: TypeAlias = float | str | None

DEFAULT_REPETITION_PENALTY = 1.1  # without one a model this small repeats itself before long
MAX_LENGTH = 1024
# Where each dial stands at first, in the order in which `read_dials` takes their positions.
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
class Manner:
    """How an answer is to be given. `pace` is a rate in tokens/s to which it is slowed down, None for real speed."""

    max_new_tokens: int = DEFAULT_LENGTH
    sampling: Sampling = field(default_factory=Sampling)
    pace: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Dials:
    """The components of the dials, in the order in which `read_dials` takes their values."""

    length: gr.Slider
    temperature: gr.Slider
    top_p: gr.Slider
    top_k: gr.Slider
    repetition: gr.Slider
    frequency: gr.Slider
    seed: gr.Textbox
    pace: gr.Radio

    @property
    def inputs(self) -> list[gr.components.Component]:
        """All of them, in order."""
        return [getattr(self, field.name) for field in fields(self)]


def build_dials(pace: gr.Radio) -> Dials:
    """The drawer, closed; `pace` stands elsewhere."""
    with gr.Accordion("Max tokens, temperature, seed …", open=False, elem_id="dials"), gr.Row():
        return Dials(
            length=_slider("length", "Max tokens", "the longest answer"),
            temperature=_slider("temperature", "Temperature", "0 is greedy decoding"),
            top_p=_slider("top_p", "Top p", "1 is off"),
            top_k=_slider("top_k", "Top k", "0 is off"),
            repetition=_slider("repetition", "Repetition penalty", "1 is off"),
            frequency=_slider("frequency", "Frequency penalty", "0 is off"),
            seed=gr.Textbox("", label="Seed", info="empty: a new one each time", max_lines=1, elem_id="seed"),
            pace=pace,
        )


def read_dials(positions: Sequence[Position]) -> Manner:
    """What the dials stand for. Raises BadRequest where a value is out of its range."""
    length, temperature, top_p, top_k, repetition, frequency, seed, pace = positions
    common = Sampling(
        repetition_penalty=_number(repetition, 1.0),
        frequency_penalty=_number(frequency, 0.0),
        seed=_read_seed(str(seed or "").strip()),
    )
    heat = _number(temperature, 0.0)
    sampling = common if heat == 0 else _warm(common, heat, top_p, top_k)
    return Manner(int(_number(length, DEFAULT_LENGTH)), sampling, _number(pace, 0.0) or None)


def _warm(common: Sampling, temperature: float, top_p: Position, top_k: Position) -> Sampling:
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


def _slider(name: str, label: str, info: str) -> gr.Slider:
    low, high, step = RANGES[name]
    default, place = float(DEFAULTS[name]), name.replace("_", "-")
    return gr.Slider(low, high, default, step=step, label=label, info=info, elem_id=place, min_width=220, buttons=[])
