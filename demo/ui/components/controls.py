"""The generation controls: the speed, and in a panel that opens the length, temperature, seed and more."""

from dataclasses import dataclass, fields

import gradio as gr

from demo.ui.view.options import DEFAULTS, RANGES


@dataclass(frozen=True, slots=True, eq=False)
class Controls:
    """The components of the dials, in the order in which `read_options` takes their values."""

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


def build_controls(pace: gr.Radio) -> Controls:
    """The drawer, closed; `pace` stands elsewhere."""
    with gr.Accordion("Max tokens, temperature, seed …", open=False, elem_id="dials"), gr.Row():
        return Controls(
            length=_slider("length", "Max tokens", "the longest answer"),
            temperature=_slider("temperature", "Temperature", "0 is greedy decoding"),
            top_p=_slider("top_p", "Top p", "1 is off"),
            top_k=_slider("top_k", "Top k", "0 is off"),
            repetition=_slider("repetition", "Repetition penalty", "1 is off"),
            frequency=_slider("frequency", "Frequency penalty", "0 is off"),
            seed=gr.Textbox("", label="Seed", info="empty: a new one each time", max_lines=1, elem_id="seed"),
            pace=pace,
        )


def _slider(name: str, label: str, info: str) -> gr.Slider:
    low, high, step = RANGES[name]
    default, place = float(DEFAULTS[name]), name.replace("_", "-")
    return gr.Slider(low, high, default, step=step, label=label, info=info, elem_id=place, min_width=220, buttons=[])
