"""A chart's component: from a figure to the value that the browser draws, with buttons that save it."""

import json

import gradio as gr
import plotly.graph_objects as go


def build_chart(name: str) -> gr.HTML:
    """An empty place for a figure; `name` is its id's end and the name of the files saved from it."""
    return gr.HTML(
        None,
        html_template=f'<div data-name="{name}"></div>',
        js_on_load="tokenStreaming.mountChart(element, props, watch)",
        apply_default_css=False,
        elem_id=f"plot-{name}",
    )


def show_chart(figure: go.Figure, summary: str) -> str:
    """The value of a chart; `summary` says in words what it shows.

    As text: Gradio's client copies every object that a component holds, deeply, whenever a listener begins or ends.
    """
    return json.dumps({"figure": json.loads(figure.to_json()), "summary": summary})
