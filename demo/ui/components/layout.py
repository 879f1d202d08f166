"""The page's components and where they stand. Knows no listener and no engine."""

import html
from dataclasses import dataclass
from typing import Final

import gradio as gr

from demo.examples import read_examples
from demo.ui.components.chart import build_chart
from demo.ui.components.controls import Controls, build_controls
from demo.ui.components.lesson import Lesson, build_lesson
from demo.ui.components.pane import Pane, build_pane
from demo.ui.files import LESSON
from demo.ui.view.speed import FELT, list_speeds

KEYS: Final = '<span class="keys"> · Enter sends, Shift+Enter starts a new line, Esc stops</span>'
# What a race says when it has ended, and what can be done with its answer.
VERDICT: Final = """
<div id="verdict"><p id="result" role="status"></p>
  <button type="button" id="slow-motion" hidden>Slow motion</button>
  <button type="button" id="complete" hidden>Continue the answer</button></div>"""
INTRO: Final = """
<h1>Token streaming</h1>
<p>One model writes one answer. Two panels deliver it: token by token as it is made, or all at once when it is done.
Both read the same run, so the text is the same; only the waiting differs.</p>"""


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Every component that a listener reads or sets."""

    prompt: gr.Textbox
    keep: gr.Checkbox
    generate: gr.Button
    stop: gr.Button
    retry: gr.Button
    clear: gr.Button
    examples: gr.HTML
    controls: Controls
    asked: gr.JSON
    model: gr.HTML
    message: gr.HTML
    question: gr.HTML
    verdict: gr.HTML
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
        return [*panes, self.prompt, self.message, self.question, self.retry, self.clear]

    @property
    def settled(self) -> list[gr.blocks.Block]:
        """What a race that has ended sets."""
        shared = [self.results, self.timeline, self.latency, self.table, self.trace]
        return [self.streamed.run, self.whole.run, *shared, self.controls.pace, self.lesson.example, self.lesson.saved]


def build_layout() -> Layout:
    """All components, top to bottom."""
    gr.HTML(INTRO, elem_id="intro", js_on_load=None)
    model = _field("model", "", after=KEYS)
    prompt, generate, stop, retry, clear = _build_prompt_row()
    with gr.Row(elem_id="options"):
        pace = gr.Radio(list_speeds(None), value=FELT, label="Speed", elem_id="speed", min_width=0, scale=0)
        keep = gr.Checkbox(False, label="Continue the conversation", elem_id="keep", min_width=0, scale=0)
        examples = _build_examples()
    message = _field("message", "", role="alert")
    controls, asked = build_controls(pace), gr.JSON(visible=False)
    question = _field("question", "", after='<button type="button" class="link" id="edit">Edit</button>')
    verdict = gr.HTML(VERDICT, js_on_load="tokenStreaming.mountVerdict(element, trigger)", apply_default_css=False)
    with gr.Row(elem_id="panes", equal_height=True):
        streamed, whole = build_pane("streamed"), build_pane("whole")
    results, timeline, latency, table, trace = _build_results()
    lesson = build_lesson()
    fragment = gr.Textbox(visible=False)
    announcer = '<div id="announcer" role="status" aria-live="polite" class="unseen"></div>'
    sight = gr.HTML(announcer, js_on_load="tokenStreaming.mountSight(trigger)")
    return Layout(
        prompt,
        keep,
        generate,
        stop,
        retry,
        clear,
        examples,
        controls,
        asked,
        model,
        message,
        question,
        verdict,
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


def _build_prompt_row() -> tuple[gr.Textbox, gr.Button, gr.Button, gr.Button, gr.Button]:
    with gr.Row(elem_id="controls"):
        prompt = gr.Textbox(
            label="Prompt",
            show_label=False,
            value=read_examples()[0],
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
            retry = gr.Button("Retry", elem_id="retry", min_width=0, interactive=False)
            clear = gr.Button("Clear", elem_id="clear", min_width=0, interactive=False)
    return prompt, generate, stop, retry, clear


def _build_examples() -> gr.HTML:
    """One component for all: its script says which was pressed."""
    chips = "".join(f'<button type="button" class="chip">{html.escape(text)}</button>' for text in read_examples())
    return gr.HTML(
        f'<div id="examples">{chips}</div>',
        js_on_load="tokenStreaming.mountExamples(element, trigger)",
        apply_default_css=False,
        elem_classes="line-examples",
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


def _field(name: str, value: str, role: str = "", after: str = "") -> gr.HTML:
    role = f' role="{role}"' if role else ""
    template = f'<p id="{name}"{role} dir="auto" data-line></p>{after}'
    script = "tokenStreaming.mountLine(element, props, watch)"
    return gr.HTML(
        value, html_template=template, js_on_load=script, apply_default_css=False, elem_classes=f"line-{name}"
    )
