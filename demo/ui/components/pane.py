"""A pane: the components of one side, and their values for a view."""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import gradio as gr

from demo.ui.components.markup import build_html
from demo.ui.view.panes import PaneView, write_parts
from demo.ui.view.turn import Turn
from demo.ui.view.words import (
    TITLES,
    Side,
    describe_cached,
    describe_phase,
    describe_reasoning,
    format_count,
    format_rate,
    format_seconds,
)

Updates: TypeAlias = dict[Any, Any]  # {component: value}

HELP: Final[dict[Side, dict[str, str]]] = {
    "streamed": {
        "subtitle": "each token as it is made",
        "ttft_help": "Time to first token: from the request to the first text, on the engine's clock",
        "rate_help": "Decode rate: n - 1 tokens over the time after the first",
    },
    "whole": {
        "subtitle": "all at once, at the end",
        "ttft_help": "Time to first token: without streaming it is the total, since nothing is visible before the end",
        "rate_help": "All tokens arrive at once, so there is no rate",
    },
}
# The page's script sets the text of a field, never its markup: see assets/page/panes.js.
HEAD: Final = """
<div class="pane-head" data-side="{side}" data-state="idle">
  <div class="pane-title">
    <h2>{title}</h2><span class="subtitle">{subtitle}</span>
    <div class="pane-state"><span class="phase" id="{side}-phase" data-field="phase"></span>
      <span class="label" id="{side}-label" data-field="label"></span></div>
  </div>
  <div class="pane-times">
    <div class="first" title="From Generate to the first text on your screen, on your browser's clock">
      <span class="what">first text (TTFT)</span> <span class="value" id="{side}-first">–</span></div>
    <div class="total" title="From Generate to the end, on your browser's clock">
      <span class="what">total</span> <span class="value clock" id="{side}-clock">0.00 s</span></div>
  </div>
</div>"""
NUMBERS: Final = """
<div class="pane-numbers" data-side="{side}">
  <dl>
    <div title="{ttft_help}"><dt>TTFT</dt><dd id="{side}-ttft" data-field="ttft"></dd></div>
    <div title="From the request to the last event, on the engine's clock"><dt>Total</dt>
      <dd id="{side}-total" data-field="total"></dd></div>
    <div><dt>Tokens</dt><dd id="{side}-tokens" data-field="tokens"></dd></div>
    <div title="{rate_help}"><dt>Tokens/s</dt><dd id="{side}-rate" data-field="rate"></dd></div>
  </dl>
  <div class="aside"><div class="notes">
      <span class="note" id="{side}-note" data-field="note"></span>
      <span id="{side}-remembered" data-field="cached"
        title="Tokens found in the prefix cache: not computing them again shortens the TTFT"></span>
      <span id="{side}-answered" data-field="answered"
        title="The model reasons first: from the request to the first tokens of both, on the engine's clock"></span>
    </div>
    <span class="actions">
      <button type="button" class="link" id="{side}-raw" aria-pressed="false" disabled>Raw text</button>
      <button type="button" class="link" id="{side}-copy" disabled>Copy</button></span></div>
</div>"""
PAST: Final = '<div class="past"></div>'
TEXT: Final = '<div class="answer" id="{side}-text" dir="auto" translate="no"></div>'


class Pane:
    """The components of one side, built within a gr.Row. `run` alone holds everything that is shown of a run.

    Each component that a listener may set costs time in the browser and on the server, whether it is set or not.
    """

    def __init__(self, side: Side) -> None:
        self.side = side
        texts = {"side": side, "title": TITLES[side], **HELP[side]}
        with gr.Column(elem_classes=["pane", side], elem_id=f"{side}-pane", min_width=300):
            with gr.Row(elem_classes="pane-top"):
                build_html(None, HEAD.format(**texts))
                self.stop = gr.Button("Stop", elem_id=f"{side}-stop", size="sm", min_width=0, scale=0)
            with gr.Column(elem_classes="pane-body", elem_id=f"{side}-body"):
                self.past = build_html("mountPast(element, props, watch)", [], html_template=PAST)
                text, run = TEXT.format(side=side), write_run(PaneView(side))
                self.run = build_html("mountPane(element, props, watch)", run, html_template=text)
            build_html(None, NUMBERS.format(**texts))


def show(pane: Pane, view: PaneView) -> Updates:
    """What the page shows of a view. Gradio sends only what changed: of a growing text, its new end."""
    return {pane.run: write_run(view)}


# Way 19: The view becomes the value of one component
def write_run(view: PaneView) -> dict[str, object]:
    """The text and all fields around it."""
    timeline = view.timeline
    return {
        "text": view.text,
        "schedule": view.schedule,
        "tokens": format_count(view.tokens),
        "phase": describe_phase(view.phase, view.progress, view.queue, view.elsewhere),
        "state": view.phase,
        "active": view.active,
        "label": view.label,
        "ttft": format_seconds(timeline.ttft),
        "total": format_seconds(timeline.total),
        "rate": format_rate(timeline.rate),
        "parts": write_parts(view.parts),
        "answered": describe_reasoning(timeline.ttft, timeline.answered),
        "cached": describe_cached(view.cached),
        "note": view.note,
        "number": view.number,
        "cut": view.cut,
    }


def show_past(pane: Pane, turns: Sequence[Turn]) -> Updates:
    """The earlier turns, each with what this side had shown."""
    return {pane.past: [_write_past(turn, turn.streamed if pane.side == "streamed" else turn.whole) for turn in turns]}


def _write_past(turn: Turn, view: PaneView) -> dict[str, str]:
    return {
        "question": turn.question.text,
        "text": view.text,
        "parts": write_parts(view.parts),
        "note": view.note or "no text",
    }
