"""The generation controls: the speed, and in a closed panel the length, temperature, seed and more."""

from typing import TypeAlias

import gradio as gr
from gradio.components import Component

from demo.ui.view.options import DEFAULTS, SLIDERS

Controls: TypeAlias = dict[str, Component]  # in the order of DEFAULTS, by its names


def build_controls(pace: gr.Radio) -> Controls:
    """The panel, closed; `pace` stands outside of it."""
    with gr.Accordion("Max tokens, temperature, seed …", open=False, elem_id="dials"), gr.Row():
        controls: Controls = {name: _build_slider(name) for name in SLIDERS}
        info = "empty: a new one each time"
        controls["seed"] = gr.Textbox(str(DEFAULTS["seed"]), label="Seed", info=info, max_lines=1, elem_id="seed")
    controls["pace"] = pace
    return {name: controls[name] for name in DEFAULTS}


def _build_slider(name: str) -> gr.Slider:
    label, info, default, low, high, step = SLIDERS[name]
    place = name.replace("_", "-")
    return gr.Slider(low, high, default, step=step, label=label, info=info, elem_id=place, min_width=220, buttons=[])
