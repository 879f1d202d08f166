"""The lesson below the race: its stations in their chapters.

Most stations are markup, `assets/lesson/<name>/<name>.html`, and a script beside it that calls the API and is loaded
when the station comes near. Those about this tab's own runs are made of components.
"""

import html
import json
import re
from typing import Final

import gradio as gr
from gradio.components import Component

from demo.ui.components.markup import build_html, build_table, write_json
from demo.ui.files import ASSETS, LESSON
from demo.ui.view.options import GenerationOptions, list_paces
from demo.ui.view.tables import list_definitions, list_example, list_saved
from demo.ui.view.words import CONSTANTS

CHAPTERS: Final = {
    "Why it matters": ("example", "sweep", "pairs", "perceived", "saved", "glossary"),
    "How it works underneath": ("events", "ways", "journey"),
    "Overload and backpressure": ("enough",),
    "Use the API": ("call",),
    "With a whole class": ("room",),
    "For teachers": ("teach",),
}
MOUNT_NEAR: Final = "mountWhenNear(element, props, watch)"  # its script is loaded when it comes near
MOUNT_NOW: Final = "mountStation(element, props, watch)"
TEXT: Final = re.compile(r'(?<= data-text=")(\w+)">(?=</)')
TEXTS: Final = {
    key: text
    for name in ("texts", "projector")
    for key, text in json.loads((ASSETS / "room" / f"{name}.json").read_text("utf-8"))["en"].items()
}
PRICE: Final = 10.0  # dollars for a million tokens


class Lesson:
    """Every station, in order, built within a gr.Blocks."""

    def __init__(self) -> None:
        builders = {
            "example": self._build_example,
            "saved": self._build_saved,
            "glossary": self._build_glossary,
            "teach": self._build_teach,
        }
        with gr.Column(elem_id="lesson"):
            _build_station("contents", MOUNT_NOW)
            for chapter, stations in CHAPTERS.items():
                build_html(None, f'<h2 class="chapter">{chapter}</h2>')
                for name in stations:
                    if name in builders:
                        with gr.Column(elem_id=f"station-{name}", elem_classes="station"):
                            builders[name]()
                    else:
                        _build_station(name, MOUNT_NEAR)

    @property
    def example_inputs(self) -> list[Component]:
        return [self.example_length, self.example_pace]

    def _build_example(self) -> None:
        _build_station("example", MOUNT_NOW)
        lengths, pace = CONSTANTS["example"]["lengths"], CONSTANTS["example"]["pace"]
        choices, paces = [(f"{count:,} tokens", count) for count in lengths], list_paces()
        with gr.Row(elem_classes="dials"):
            self.example_length = gr.Radio(choices, value=lengths[0], label="Length", elem_id="example-length")
            self.example_pace = gr.Dropdown(paces, value=pace, label="Speed", elem_id="example-pace", filterable=False)
        run = "Run it in the two panels"
        self.example_run = gr.Button(run, variant="primary", elem_id="example-run", min_width=0)
        predicted = list_example(GenerationOptions(lengths[0], pace=pace), (), None)
        self.example = build_table("example", write_json(predicted))

    def _build_saved(self) -> None:
        _build_station("saved")
        label = "Price of a million tokens, in dollars"
        with gr.Row(elem_classes="dials"):
            self.price = gr.Slider(0.1, 100, PRICE, step=0.1, label=label, elem_id="price", buttons=[])
        self.saved = build_table("saved", write_json(list_saved((), PRICE)))

    def _build_glossary(self) -> None:
        _build_station("glossary")
        self.definitions = build_table("definitions", write_json(list_definitions(())))

    def _build_teach(self) -> None:
        _build_station("teach", MOUNT_NEAR)
        self.share = gr.Button("Make a link to this prompt and these settings", elem_id="share", min_width=0)
        self.link = build_html(MOUNT_NEAR, html_template='<div id="state-link" data-station="link"></div>')


def _build_station(name: str, script: str | None = None) -> None:
    build_html(script, fill_texts((LESSON / name / f"{name}.html").read_text("utf-8")))


def fill_texts(markup: str) -> str:
    """The markup with the room's words in the elements that name one: in English, until a script speaks another."""
    return TEXT.sub(lambda found: f"{found[0]}{html.escape(TEXTS[found[1]], quote=False)}", markup)
