"""Markup as a component, and the script that the page runs on it."""

from typing import Any

import gradio as gr


def build_html(script: str | None, value: Any = None, **options: Any) -> gr.HTML:
    """`script` calls one of the page's own functions; a value that is no text is for its `props`."""
    call = f"tokenStreaming.{script}" if script else None
    return gr.HTML(value, js_on_load=call, apply_default_css=False, **options)
