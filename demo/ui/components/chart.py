"""A chart's component: its value is a figure that the browser draws, with buttons that save it."""

import gradio as gr

from demo.ui.components.markup import build_html, write_json
from demo.ui.view.plots import Figure


def build_chart(name: str) -> gr.HTML:
    """An empty chart; `name` ends its element's id and names the files saved from it."""
    place, script = f'<div data-name="{name}"></div>', "mountChart(element, props, watch)"
    return build_html(script, html_template=place, elem_id=f"plot-{name}")


def show_chart(figure: Figure, summary: str) -> str:
    """The value of a chart; `summary` describes it to those who can't see it."""
    return write_json({"figure": figure, "summary": summary})
