"""A pane: its components, built by one function for both sides; from a view to `{component: value}`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import gradio as gr

from demo.ui.view.panes import PaneView
from demo.ui.view.turn import Turn
from demo.ui.view.words import TITLES, Side, describe_phase, describe_reuse, format_count, format_rate, format_seconds

Updates: TypeAlias = dict[Any, Any]

SUBTITLES: Final[dict[Side, str]] = {"streamed": "each token as it is made", "whole": "all at once, at the end"}
TTFT_HELP: Final[dict[Side, str]] = {
    "streamed": "Time to first token: from the request to the first text, on the engine's clock",
    "whole": "Time to first token: without streaming it is the total, since nothing is visible before the end",
}
RATE_HELP: Final[dict[Side, str]] = {
    "streamed": "Decode rate: n - 1 tokens over the time after the first",
    "whole": "This reader gets all tokens at once: they have no rate",
}

REUSE_HELP: Final = "Read before, for a prompt that began alike, and not computed again: it shortens the TTFT"

# The text of a field is set by the script as text, never as markup: see assets/page/pane.js.
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
      <span id="{side}-remembered" data-field="remembered" title="{reuse_help}"></span></div>
    <span class="actions">
      <button type="button" class="link" id="{side}-raw" aria-pressed="false" disabled>Raw text</button>
      <button type="button" class="link" id="{side}-copy" disabled>Copy</button></span></div>
</div>"""
TEXT: Final = '<div class="answer" id="{side}-text" dir="auto"></div>'


@dataclass(frozen=True, slots=True, eq=False)
class Pane:
    """The components of one side. All that is shown of a run is the value of one of them, `run`.

    A listener pays for each component that it may set, in the browser and on the server, whether it sets it or not.
    """

    side: Side
    stop: gr.Button
    past: gr.HTML
    run: gr.HTML


def build_pane(side: Side) -> Pane:
    """One side's panel: title, phase and times; Stop; the conversation and the text; the numbers."""
    title = TITLES[side]
    with gr.Column(elem_classes=["pane", side], elem_id=f"{side}-pane", min_width=300):
        with gr.Row(elem_classes="pane-top"):
            _draw(HEAD.format(side=side, title=title, subtitle=SUBTITLES[side]))
            stop = gr.Button("Stop", elem_id=f"{side}-stop", size="sm", min_width=0, scale=0)
        with gr.Column(elem_classes="pane-body", elem_id=f"{side}-body"):
            past = gr.HTML(
                [],
                html_template='<div class="past"></div>',
                js_on_load="tokenStreaming.mountPast(element, props, watch)",
                apply_default_css=False,
            )
            run = gr.HTML(
                show_run(PaneView(side)),
                html_template=TEXT.format(side=side),
                js_on_load="tokenStreaming.mountPane(element, props, watch)",
                apply_default_css=False,
            )
        _draw(NUMBERS.format(side=side, ttft_help=TTFT_HELP[side], rate_help=RATE_HELP[side], reuse_help=REUSE_HELP))
    return Pane(side, stop, past, run)


def _draw(markup: str) -> None:
    gr.HTML(markup, js_on_load=None, apply_default_css=False)


def show(pane: Pane, view: PaneView) -> Updates:
    """What the page shows of a view. Gradio sends only what changed: of a growing text, its new end."""
    return {pane.run: show_run(view)}


# Way 19: The view becomes the value of one component
def show_run(view: PaneView) -> dict[str, object]:
    """The text and all fields around it."""
    timeline = view.timeline
    return {
        "text": view.text,
        "schedule": view.schedule,
        "tokens": format_count(view.tokens),
        "phase": describe_phase(view.phase, view.progress),
        "state": view.phase,
        "active": view.active,
        "label": view.label,
        "ttft": format_seconds(timeline.ttft),
        "total": format_seconds(timeline.total),
        "rate": format_rate(timeline.rate),
        "remembered": describe_reuse(view.remembered),
        "note": view.note,
        "number": view.number,
        "cut": view.cut,
    }


def show_past(pane: Pane, turns: Sequence[Turn]) -> Updates:
    """The turns before this one, each with what this side had shown."""
    views = [(turn.question, turn.streamed if pane.side == "streamed" else turn.whole) for turn in turns]
    told = [{"question": question, "text": view.text, "note": view.note or "no text"} for question, view in views]
    return {pane.past: told}
