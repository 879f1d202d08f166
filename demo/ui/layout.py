"""The page's components and where they stand. Knows no listener and no engine."""

import json
from dataclasses import dataclass
from typing import Final

import gradio as gr

from demo.examples import read_examples
from demo.ui.chart import build_chart
from demo.ui.dials import Dials, build_dials
from demo.ui.files import LESSON
from demo.ui.lesson import Lesson, build_lesson
from demo.ui.pane import Pane, build_pane

INTRO: Final = """
<h1>Token streaming</h1>
<p>One model writes one answer. Two panels deliver it: token by token as it is made, or all at once when it is done.
Both are fed by the same run, so the text is the same; only the waiting differs.</p>"""


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Every component that a listener reads or sets."""

    prompt: gr.Textbox
    generate: gr.Button
    stop: gr.Button
    retry: gr.Button
    clear: gr.Button
    dials: Dials
    asked: gr.JSON
    model: gr.HTML
    message: gr.HTML
    question: gr.HTML
    streamed: Pane
    whole: Pane
    results: gr.Column
    timeline: gr.HTML
    latency: gr.HTML
    table: gr.HTML
    trace: gr.HTML
    fragment: gr.Textbox
    sight: gr.HTML
    lesson: Lesson

    @property
    def panes(self) -> tuple[Pane, Pane]:
        """Streamed, whole."""
        return self.streamed, self.whole

    @property
    def start(self) -> list[gr.components.Component]:
        """What a race that begins sets."""
        panes = [component for pane in self.panes for component in (pane.run, pane.past)]
        return [*panes, self.prompt, self.message, self.question]

    @property
    def settled(self) -> list[gr.blocks.Block]:
        """What a race that has ended sets."""
        shared = [self.results, self.timeline, self.latency, self.table, self.trace]
        return [self.streamed.run, self.whole.run, *shared, self.lesson.example, self.lesson.saved]


def build_layout() -> Layout:
    """All components, top to bottom."""
    gr.HTML(INTRO, elem_id="intro", js_on_load=None)
    model = _field("model", "")
    prompt, generate, stop, retry, clear = _build_controls()
    message = _field("message", "", role="alert")
    _build_examples(prompt)
    dials, asked = build_dials(), gr.JSON(visible=False)
    question = _field("question", "")
    with gr.Row(elem_id="panes", equal_height=True):
        streamed, whole = build_pane("streamed"), build_pane("whole")
    results, timeline, latency, table, trace = _build_results()
    lesson = build_lesson()
    fragment = gr.Textbox(visible=False)
    announcer = '<div id="announcer" role="status" aria-live="polite" class="unseen"></div>'
    sight = gr.HTML(announcer, js_on_load="tokenStreaming.mountSight(trigger)")
    return Layout(
        prompt,
        generate,
        stop,
        retry,
        clear,
        dials,
        asked,
        model,
        message,
        question,
        streamed,
        whole,
        results,
        timeline,
        latency,
        table,
        trace,
        fragment,
        sight,
        lesson,
    )


def _build_controls() -> tuple[gr.Textbox, gr.Button, gr.Button, gr.Button, gr.Button]:
    with gr.Row(elem_id="controls"):
        prompt = gr.Textbox(
            label="Prompt",
            show_label=False,
            placeholder="Ask something",
            lines=1,
            max_lines=6,
            container=False,
            scale=1,
            min_width=240,
            elem_id="prompt",
            autofocus=True,
            html_attributes=gr.InputHTMLAttributes(enterkeyhint="send", autocomplete="off"),
        )
        with gr.Row(elem_id="buttons"):
            generate = gr.Button("Generate", variant="primary", elem_id="generate", min_width=0, interactive=False)
            stop = gr.Button("Stop", elem_id="stop", min_width=0)
            retry = gr.Button("Retry", elem_id="retry", min_width=0)
            clear = gr.Button("Clear", elem_id="clear", min_width=0)
    return prompt, generate, stop, retry, clear


def _build_examples(prompt: gr.Textbox) -> None:
    with gr.Row(elem_id="examples"):
        for text in read_examples():
            chip = gr.Button(text, size="sm", min_width=0, scale=0, elem_classes="chip")
            chip.click(
                None, None, prompt, js=f"() => tokenStreaming.fill({json.dumps(text)})", api_visibility="private"
            )


def _build_results() -> tuple[gr.Column, gr.HTML, gr.HTML, gr.HTML, gr.HTML]:
    with gr.Column(visible=False, elem_id="results") as results:
        with gr.Row():
            with gr.Column(min_width=320):
                gr.HTML("<h2>What each reader could see over time</h2>", js_on_load=None)
                timeline = build_chart("timeline")
            with gr.Column(min_width=320):
                gr.HTML("<h2>Time to first token against total latency</h2>", js_on_load=None)
                latency = build_chart("latency")
        table = gr.HTML("", elem_id="numbers", js_on_load=None)
        trace = gr.HTML(
            None,
            html_template=(LESSON / "exports" / "exports.html").read_text("utf-8"),
            js_on_load="tokenStreaming.mountRun(element, props, watch)",
            apply_default_css=False,
        )
    return results, timeline, latency, table, trace


def _field(name: str, value: str, role: str = "") -> gr.HTML:
    role = f' role="{role}"' if role else ""
    template = f'<p id="{name}"{role} dir="auto"></p>'
    script = "tokenStreaming.mountLine(element, props, watch)"
    return gr.HTML(
        value, html_template=template, js_on_load=script, apply_default_css=False, elem_classes=f"line-{name}"
    )
