"""A pane: its components, built by one function for both sides; from a view to `{component: value}`."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import gradio as gr

from demo.ui.panes import PaneView
from demo.ui.visitor import Turn
from demo.ui.words import PHASES, TITLES, Side, say_count, say_rate, say_seconds

Updates: TypeAlias = dict[Any, Any]

SUBTITLES: Final[dict[Side, str]] = {"streamed": "each token as it is made", "whole": "all at once, at the end"}
TTFT_HELP: Final[dict[Side, str]] = {
    "streamed": "Time to first token: from the request to the first text, on the engine's clock",
    "whole": "Time to first token: here by definition the total, for nothing is visible before the end",
}

# The text of a field is set by page.js as text, never as markup: see `mountFields` and `mountText` there.
HEAD: Final = """
<div class="pane-head" data-side="{side}">
  <h2>{title}</h2><span class="subtitle">{subtitle}</span>
  <span class="label" id="{side}-label" data-field="label"></span>
  <span class="phase" id="{side}-phase" data-field="phase"></span>
  <span class="clock" id="{side}-clock" title="Your browser's own clock, from Generate to the end">0.00 s</span>
</div>"""
NUMBERS: Final = """
<div class="pane-numbers" data-side="{side}">
  <dl>
    <div title="{ttft_help}"><dt>TTFT</dt><dd id="{side}-ttft" data-field="ttft"></dd></div>
    <div title="From the request to the last event, on the engine's clock"><dt>Total</dt>
      <dd id="{side}-total" data-field="total"></dd></div>
    <div><dt>Tokens</dt><dd id="{side}-tokens"></dd></div>
    <div title="Tokens over the total, prompt included"><dt>Tokens/s</dt>
      <dd id="{side}-rate" data-field="rate"></dd></div>
  </dl>
  <p class="aside"><span class="note" id="{side}-note" data-field="note"></span>
    <span class="browser" id="{side}-browser"></span></p>
</div>"""
TEXT: Final = '<div class="answer" id="{side}-text" dir="auto"></div>'


@dataclass(frozen=True, slots=True, eq=False)
class Pane:
    """The components of one side."""

    side: Side
    head: gr.HTML
    stop: gr.Button
    past: gr.HTML
    text: gr.HTML
    numbers: gr.HTML

    @property
    def outputs(self) -> list[gr.components.Component]:
        """What `show` sets."""
        return [self.head, self.text, self.numbers]


def build_pane(side: Side) -> Pane:
    """One side's panel: title, phase and clock; Stop; the conversation and the text; the numbers."""
    idle = PaneView(side)
    title = TITLES[side]
    with gr.Column(elem_classes=["pane", side], elem_id=f"{side}-pane", min_width=300):
        with gr.Row(elem_classes="pane-top"):
            head = _mount("Fields", HEAD.format(side=side, title=title, subtitle=SUBTITLES[side]), show_head(idle))
            stop = gr.Button("Stop", elem_id=f"{side}-stop", size="sm", min_width=0, scale=0)
        with gr.Column(elem_classes="pane-body", elem_id=f"{side}-body"):
            past = gr.HTML("", elem_classes="past", js_on_load=None)
            text = _mount("Text", TEXT.format(side=side), {"text": "", "tokens": say_count(idle.tokens)})
        numbers = _mount("Fields", NUMBERS.format(side=side, ttft_help=TTFT_HELP[side]), show_numbers(idle))
    return Pane(side, head, stop, past, text, numbers)


def _mount(kind: str, template: str, value: object) -> gr.HTML:
    script = f"tokenStreaming.mount{kind}(element, props, watch)"
    return gr.HTML(value, html_template=template, js_on_load=script, apply_default_css=False)


def show(pane: Pane, view: PaneView) -> Updates:
    """What the page shows of a view. Gradio sends only what changed: of a growing text, its new end."""
    return {pane.head: show_head(view), pane.numbers: show_numbers(view), **show_growth(pane, view)}


def show_growth(pane: Pane, view: PaneView) -> Updates:
    """What a token more changes: the text and the count of its tokens, in one component to be cheap."""
    return {pane.text: {"text": view.text, "tokens": say_count(view.tokens)}}


def show_head(view: PaneView) -> dict[str, object]:
    """The fields above the text."""
    return {
        "side": view.side,
        "phase": PHASES[view.phase],
        "state": view.phase,
        "active": view.active,
        "label": view.label,
    }


def show_numbers(view: PaneView) -> dict[str, object]:
    """The fields below the text."""
    timeline = view.timeline
    return {
        "ttft": say_seconds(timeline.ttft),
        "total": say_seconds(timeline.total),
        "rate": say_rate(timeline.rate),
        "note": view.note,
    }


def show_past(pane: Pane, turns: Sequence[Turn]) -> Updates:
    """The turns before this one, each with what this side had shown."""
    views = [(turn.question, turn.streamed if pane.side == "streamed" else turn.whole) for turn in turns]
    return {pane.past: "".join(_past_turn(question, view) for question, view in views)}


def _past_turn(question: str, view: PaneView) -> str:
    answer = html.escape(view.text) if view.text else f"<em>{html.escape(view.note or 'no text')}</em>"
    return f'<p class="question" dir="auto">{html.escape(question)}</p><div class="answer" dir="auto">{answer}</div>'
