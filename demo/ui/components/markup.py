"""Markup and data as a component, and the script that the page runs on it."""

import json
from typing import Any, Final

import gradio as gr

from demo.ui.view.plots import Figure

TABLE: Final = '<div><p class="verdict" hidden></p><div></div></div>'


def build_html(script: str | None, value: Any = None, **options: Any) -> gr.HTML:
    """`script` calls one of the page's own functions; a value that is no text is for its `props`."""
    call = f"tokenStreaming.{script}" if script else None
    return gr.HTML(value, js_on_load=call, apply_default_css=False, **options)


def build_table(name: str, value: str | None = None) -> gr.HTML:
    """A table of the page; its value is a view's `Table` as JSON."""
    return build_html("mountTable(element, props, watch)", value, html_template=TABLE, elem_id=name)


def build_chart(name: str) -> gr.HTML:
    """An empty chart with buttons that save it; `name` ends its element's id and names the saved files."""
    place, script = f'<div data-name="{name}"></div>', "mountChart(element, props, watch)"
    return build_html(script, html_template=place, elem_id=f"plot-{name}")


def show_chart(figure: Figure, summary: str) -> str:
    """The value of a chart, which the browser draws; `summary` describes it to those who can't see it."""
    return write_json({"figure": figure, "summary": summary})


def write_json(value: object) -> str:
    """A value for a script.

    As text: Gradio's client copies every object that a component holds, deeply, whenever a listener begins or ends.
    """
    return json.dumps(value).replace("<", "\\u003c")  # Gradio takes it for markup, and warns of scripts in it
