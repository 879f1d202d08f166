"""The page's components and where they stand. Knows no listener and no engine."""

import html
from typing import Final

import gradio as gr
from gradio.components import Component

from demo.examples import read_examples
from demo.ui.components.lesson import Lesson
from demo.ui.components.markup import build_chart, build_html, build_table
from demo.ui.components.pane import Pane
from demo.ui.files import LESSON
from demo.ui.view.options import DEFAULT_PACE, DEFAULTS, SLIDERS, list_speeds
from demo.ui.view.words import CONSTANTS

KEYS: Final = '<span class="keys"> · Enter sends, Shift+Enter starts a new line, Esc stops</span>'
# The sentence that compares both sides of a race that has ended, and what can be done with its answer.
VERDICT: Final = """
<div id="verdict"><p id="result" role="status"></p>
  <button type="button" id="slow-motion" hidden>Slow motion</button>
  <button type="button" id="complete" hidden>Continue the answer</button></div>"""
LARGER: Final = '<button type="button" class="link" id="larger-models" hidden>Larger models</button>'
RELOAD: Final = '<button type="button" class="link" id="reload-model" hidden>Load it now</button>'
INTRO: Final = """
<h1>Token streaming</h1>
<nav id="languages" aria-label="Languages">{languages}</nav>
<p>One model writes one answer. Two panels deliver it: token by token as it is made, or all at once when it is done.
Both read the same run, so the text is the same; only the waiting differs.</p>"""
LANGUAGES: Final = "".join(
    f'<a lang="{tag}" href="?lang={tag}">{language["name"]}</a>' for tag, language in CONSTANTS["languages"].items()
)
EDIT: Final = '<button type="button" class="link" id="edit">Edit</button>'
ANNOUNCER: Final = '<div id="announcer" role="status" aria-live="polite" class="unseen" translate="no"></div>'


class Layout:
    """Every component of the page, built top to bottom within a gr.Blocks."""

    def __init__(self) -> None:
        build_html("mountLanguages(element)", INTRO.format(languages=LANGUAGES), elem_id="intro")
        self.model = _build_line("model", after=LARGER + RELOAD + KEYS)
        with gr.Row(elem_id="controls"):
            self._build_prompt_row()
        with gr.Row(elem_id="options"):
            speeds = list_speeds(None)
            self.pace = gr.Radio(speeds, value=DEFAULT_PACE, label="Speed", elem_id="speed", min_width=0, scale=0)
            self.keep = gr.Checkbox(False, label="Continue the conversation", elem_id="keep", min_width=0, scale=0)
            self.examples = _build_examples()
        self.message = _build_line("message", 'role="alert"')
        self.controls, self.inputs = _build_controls(self.pace), gr.JSON(visible=False)
        self.question = _build_line("question", 'translate="no"', after=EDIT)
        self.verdict = build_html("mountVerdict(element, trigger)", VERDICT)
        with gr.Row(elem_id="panes", equal_height=True):
            self.streamed, self.whole = self.panes = Pane("streamed"), Pane("whole")
        with gr.Column(visible=False, elem_id="results") as self.results:
            self._build_results()
        self.lesson = Lesson()
        self.fragment = gr.Textbox(visible=False)
        self.sight = build_html("mountVisibility(element, trigger)", ANNOUNCER)

    def _build_prompt_row(self) -> None:
        self.prompt = gr.Textbox(
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
            self.generate = gr.Button("Generate", variant="primary", elem_id="generate", min_width=0, interactive=False)
            self.stop = gr.Button("Stop", elem_id="stop", min_width=0)
            self.retry = gr.Button("Retry", elem_id="retry", min_width=0, interactive=False)
            self.clear = gr.Button("Clear", elem_id="clear", min_width=0, interactive=False)

    def _build_results(self) -> None:
        with gr.Row():
            with gr.Column(min_width=320):
                gr.HTML("<h2>What each reader could see over time</h2>", js_on_load=None)
                self.timeline = build_chart("timeline")
            with gr.Column(min_width=320):
                gr.HTML("<h2>Time to first token against total latency</h2>", js_on_load=None)
                self.latency = build_chart("latency")
        self.table = build_table("numbers")
        exports = (LESSON / "exports" / "exports.html").read_text("utf-8")
        self.trace = build_html("mountRun(element, props, watch)", html_template=exports)

    @property
    def start(self) -> list[Component]:
        """What the start of a race sets."""
        panes = [component for pane in self.panes for component in (pane.run, pane.past)]
        return [*panes, self.prompt, self.message, self.question, self.retry, self.clear]

    @property
    def end(self) -> list[gr.blocks.Block]:
        """What the end of a race sets."""
        shared = [self.results, self.timeline, self.latency, self.table, self.trace]
        lesson = [self.lesson.example, self.lesson.saved, self.lesson.definitions]
        return [self.streamed.run, self.whole.run, *shared, self.pace, *lesson]


def _build_controls(pace: gr.Radio) -> dict[str, Component]:
    """All controls by their names, in the order of `DEFAULTS`: those of a closed panel, and `pace` outside of it."""
    with gr.Accordion("Max tokens, temperature, seed …", open=False, elem_id="dials"), gr.Row():
        controls: dict[str, Component] = {name: _build_slider(name) for name in SLIDERS}
        info = "empty: a new one each time"
        controls["seed"] = gr.Textbox(str(DEFAULTS["seed"]), label="Seed", info=info, max_lines=1, elem_id="seed")
    controls["pace"] = pace
    return {name: controls[name] for name in DEFAULTS}


def _build_slider(name: str) -> gr.Slider:
    label, info, default, low, high, step = SLIDERS[name]
    place = name.replace("_", "-")
    return gr.Slider(low, high, default, step=step, label=label, info=info, elem_id=place, min_width=220, buttons=[])


def _build_examples() -> gr.HTML:
    """One component for all example prompts: its script knows which one was clicked."""
    chips = "".join(
        f'<button type="button" class="chip" lang="en" translate="no">{html.escape(text)}</button>'
        for text in read_examples()
    )
    script = "mountExamples(element, trigger)"
    return build_html(script, f'<div id="examples">{chips}</div>', elem_classes="line-examples")


def _build_line(name: str, attributes: str = "", after: str = "") -> gr.HTML:
    """A line of text; `after` is markup that follows it."""
    template = f'<p id="{name}" {attributes} dir="auto" data-line></p>{after}'
    return build_html(
        "mountLine(element, props, watch, trigger)", "", html_template=template, elem_classes=f"line-{name}"
    )
