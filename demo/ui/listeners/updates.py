"""From a tab's state to what the page shows of it: `{component: value}`. Knows no event."""

import json
from collections.abc import Sequence

import gradio as gr

from demo.events import Ready, Status
from demo.trace import Trace, write_fragment, write_trace
from demo.ui.components.chart import show_chart
from demo.ui.components.layout import Layout
from demo.ui.components.pane import Updates, show, show_past
from demo.ui.session import Session
from demo.ui.view.panes import PaneView
from demo.ui.view.plots import COLUMNS, describe_latency, describe_timeline, draw_latency, draw_timeline, list_rows
from demo.ui.view.speed import choose_length, choose_pace, list_speeds
from demo.ui.view.tables import write_example, write_saved, write_table
from demo.ui.view.turn import Example, Turn
from demo.ui.view.words import Phase


def nothing() -> Updates:
    """No change."""
    skipped: Updates = gr.skip()
    return skipped


def say(page: Layout, session: Session, sentence: str) -> Updates:
    """The line below the buttons."""
    # Numbered, so that the same sentence said twice still is news to the page.
    session.attempts += 1
    return {page.message: {"text": sentence, "number": session.attempts}}


def show_start(page: Layout, session: Session, sentence: str = "") -> Updates:
    """A race that has begun."""
    label, number = (session.race.label, session.race.number) if session.race else ("", 0)
    return {
        **say(page, session, sentence),
        **show_turns(page, session),
        **show_both(page, "queued", label, number),
        **offer_again(page, True),
    }


def offer_again(page: Layout, possible: bool) -> Updates:
    """Retry and Clear: whether they would do anything."""
    return {button: gr.Button(interactive=possible) for button in (page.retry, page.clear)}


def show_speed(page: Layout, status: Status) -> Updates:
    """The speeds with the machine's own rate, and the one to begin with, once the model is ready."""
    if not isinstance(status, Ready):
        return {}
    rate = status.card.rate
    return {
        page.controls.pace: gr.Radio(choices=list_speeds(rate), value=choose_pace(rate)),
        page.controls.length: choose_length(rate),
    }


def show_both(page: Layout, phase: Phase, label: str, number: int) -> Updates:
    """Both sides in a phase in which they have nothing to show."""
    streamed, whole = (show(pane, PaneView(pane.side, phase, label=label, number=number)) for pane in page.panes)
    return {**streamed, **whole}


def show_turns(page: Layout, session: Session) -> Updates:
    """The conversation so far, and what was asked last."""
    past = [show_past(pane, session.turns) for pane in page.panes]
    return {**past[0], **past[1], page.question: {"text": session.question}}


def show_results(page: Layout, runs: Sequence[Turn], example: Example | None, price: float) -> Updates:
    """A race that has ended, the last of `runs`, and all before it: last words, charts, tables."""
    last = runs[-1]
    updates = {
        **show(page.streamed, last.streamed),
        **show(page.whole, last.whole),
        page.results: gr.Column(visible=True),
        page.timeline: show_chart(draw_timeline(last.streamed, last.whole), describe_timeline(last)),
        page.latency: show_chart(draw_latency(runs), describe_latency(runs)),
        page.table: write_table("Every run of this tab, newest first", COLUMNS, list_rows(runs)),
        page.trace: show_trace(last.trace, len(runs)),
        page.lesson.saved: write_saved(runs, price),
    }
    if last.asked.kind != "recording" and last.trace is not None and last.trace.pace is None:
        updates[page.controls.pace] = gr.Radio(choices=list_speeds(last.streamed.timeline.rate))
    if example is not None and last.asked.kind == "example":
        updates[page.lesson.example] = write_example(example, runs, last)
    return updates


def show_trace(trace: Trace | None, number: int) -> str | None:
    """What the browser needs to save, link to and draw run `number`, as text; None where it came to no end."""
    if trace is None:
        return None
    told = json.dumps({"number": number, "trace": write_trace(trace), "fragment": f"trace={write_fragment(trace)}"})
    return told.replace("<", "\\u003c")  # Gradio takes it for markup, and warns of scripts in it
