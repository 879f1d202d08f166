"""The lesson below the race: its stations, each a piece of markup and the script that brings it to life.

A station's markup is `assets/lesson/<name>.html`; `<name>.js` is loaded when it comes near.
"""

import gradio as gr

from demo.ui.files import LESSON


def build_lesson() -> None:
    """Every station, in order."""
    with gr.Column(elem_id="lesson"):
        for name in ("sweep", "pairs", "events", "ways", "enough", "call"):
            _build_station(name)


def _build_station(name: str) -> None:
    markup = (LESSON / f"{name}.html").read_text("utf-8")
    gr.HTML(markup, js_on_load="tokenStreaming.mountStation(element)", apply_default_css=False)
