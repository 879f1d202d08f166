"""The drawer: length, temperature, seed and the other dials; from their positions to a Sampling."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeAlias

import gradio as gr

from demo.errors import BadRequest
from demo.events import Sampling

Position: TypeAlias = float | str | None

DEFAULT_LENGTH = 256
DEFAULT_REPETITION_PENALTY = 1.1  # without one a model this small repeats itself before long
MAX_LENGTH = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Dials:
    """The components of the drawer, in the order in which `read_dials` takes their values."""

    length: gr.Slider
    temperature: gr.Slider
    top_p: gr.Slider
    top_k: gr.Slider
    repetition: gr.Slider
    frequency: gr.Slider
    seed: gr.Textbox

    @property
    def inputs(self) -> list[gr.components.Component]:
        """All of them, in order."""
        return [getattr(self, field.name) for field in fields(self)]


def build_dials() -> Dials:
    """The drawer, closed."""
    with gr.Accordion("Length, temperature, seed …", open=False, elem_id="dials"), gr.Row():
        return Dials(
            length=_slider("length", "Length", 1, MAX_LENGTH, 1, DEFAULT_LENGTH, "at most so many tokens"),
            temperature=_slider("temperature", "Temperature", 0, 2, 0.05, 0, "0 is greedy: the likeliest token"),
            top_p=_slider("top-p", "Top p", 0.05, 1, 0.05, 1, "1 is off"),
            top_k=_slider("top-k", "Top k", 0, 100, 1, 0, "0 is off"),
            repetition=_slider(
                "repetition-penalty", "Repetition penalty", 1, 2, 0.05, DEFAULT_REPETITION_PENALTY, "1 is off"
            ),
            frequency=_slider("frequency-penalty", "Frequency penalty", -2, 2, 0.1, 0, "0 is off"),
            seed=gr.Textbox("", label="Seed", info="empty: a new one each time", max_lines=1, elem_id="seed"),
        )


def read_dials(positions: Sequence[Position]) -> tuple[int, Sampling]:
    """The length and the Sampling that the dials stand for. Raises BadRequest where a value is out of its range."""
    length, temperature, top_p, top_k, repetition, frequency, seed = positions
    common = Sampling(
        repetition_penalty=_number(repetition, 1.0),
        frequency_penalty=_number(frequency, 0.0),
        seed=_read_seed(str(seed or "").strip()),
    )
    heat = _number(temperature, 0.0)
    return int(_number(length, DEFAULT_LENGTH)), common if heat == 0 else _warm(common, heat, top_p, top_k)


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
    if not text.removeprefix("-").isdecimal():
        raise BadRequest(f"seed is {text}: it must be a whole number, or empty for a new one each time.")
    return int(text)


def _number(position: Position, default: float) -> float:
    return default if position is None else float(position)


def _slider(name: str, label: str, low: float, high: float, step: float, value: float, info: str) -> gr.Slider:
    return gr.Slider(low, high, value, step=step, label=label, info=info, elem_id=name, min_width=220, buttons=[])
