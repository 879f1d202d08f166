"""The lesson below the race: its stations in their chapters.

Most are a piece of markup, `assets/lesson/<name>/<name>.html`, and a script beside it, which is loaded when it comes
near and calls the API by itself. Those about this tab's own runs are made of components.
"""

from dataclasses import dataclass
from typing import Final

import gradio as gr

from demo.ui.files import LESSON
from demo.ui.view.speed import list_paces
from demo.ui.view.tables import write_example, write_saved
from demo.ui.view.turn import Example

CHAPTERS: Final = {
    "Why it matters": ("example", "sweep", "pairs", "perceived", "saved", "glossary"),
    "How it works underneath": ("events", "ways", "journey"),
    "Overload and backpressure": ("enough",),
    "Use the API": ("call",),
    "For teachers": ("teach",),
}
NEAR: Final = "tokenStreaming.mountStation(element, props, watch)"
NOW: Final = "tokenStreaming.mountNow(element, props, watch)"
LENGTHS: Final = (1000, 300, 100)
PACE: Final = 100
PRICE: Final = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """The components that a listener reads or sets."""

    example_length: gr.Radio
    example_pace: gr.Dropdown
    example_run: gr.Button
    example: gr.HTML
    price: gr.Slider
    saved: gr.HTML
    share: gr.Button
    link: gr.HTML

    @property
    def example_inputs(self) -> list[gr.components.Component]:
        return [self.example_length, self.example_pace]


def build_lesson() -> Lesson:
    """Every station, in order."""
    components: dict[str, gr.components.Component] = {}
    builders = {"example": _build_example, "saved": _build_saved, "teach": _build_teach}
    with gr.Column(elem_id="lesson"):
        _show("contents", NOW)
        for chapter, stations in CHAPTERS.items():
            gr.HTML(f'<h2 class="chapter">{chapter}</h2>', js_on_load=None, apply_default_css=False)
            for name in stations:
                if name in builders:
                    with gr.Column(elem_id=f"station-{name}", elem_classes="station"):
                        components |= builders[name]()
                else:
                    _show(name, None if name == "glossary" else NEAR)
    return Lesson(**components)  # type: ignore[arg-type]


def _build_example() -> dict[str, gr.components.Component]:
    _show("example", NOW)
    with gr.Row(elem_classes="dials"):
        length = gr.Radio(
            [(f"{count:,} tokens", count) for count in LENGTHS],
            value=LENGTHS[0],
            label="Length",
            elem_id="example-length",
        )
        pace = gr.Dropdown(list_paces(), value=PACE, label="Speed", elem_id="example-pace", filterable=False)
    run = gr.Button("Run it in the two panels", variant="primary", elem_id="example-run", min_width=0)
    expected = write_example(Example(LENGTHS[0], PACE), (), None)
    table = gr.HTML(expected, elem_id="example", js_on_load=None, apply_default_css=False)
    return {"example_length": length, "example_pace": pace, "example_run": run, "example": table}


def _build_saved() -> dict[str, gr.components.Component]:
    _show("saved")
    with gr.Row(elem_classes="dials"):
        price = gr.Slider(
            0.1, 100, PRICE, step=0.1, label="Price of a million tokens, in dollars", elem_id="price", buttons=[]
        )
    return {
        "price": price,
        "saved": gr.HTML(write_saved((), PRICE), elem_id="saved", js_on_load=None, apply_default_css=False),
    }


def _build_teach() -> dict[str, gr.components.Component]:
    _show("teach")
    share = gr.Button("Make a link to this prompt and these dials", elem_id="share", min_width=0)
    link = gr.HTML(
        None,
        html_template='<div id="state-link" data-station="link"></div>',
        js_on_load=NEAR,
        apply_default_css=False,
    )
    return {"share": share, "link": link}


def _show(name: str, script: str | None = None) -> None:
    gr.HTML((LESSON / name / f"{name}.html").read_text("utf-8"), js_on_load=script, apply_default_css=False)
