"""From a session's state to what the page shows of it: `{component: value}`. Knows no event."""

from collections.abc import Sequence
from typing import Final

import gradio as gr

from demo.engine import Ready, Status
from demo.trace import Trace, write_fragment, write_trace
from demo.ui.components.layout import Layout
from demo.ui.components.markup import show_chart, write_json
from demo.ui.components.pane import Updates, show, show_past
from demo.ui.session import Session
from demo.ui.view import plots
from demo.ui.view.options import choose_length, choose_pace, list_speeds
from demo.ui.view.panes import PaneView
from demo.ui.view.tables import list_definitions, list_example, list_runs, list_saved
from demo.ui.view.turn import Turn
from demo.ui.view.words import Phase

SKIP: Final[Updates] = gr.skip()  # no change


def show_sentence(page: Layout, session: Session, sentence: str) -> Updates:
    """The line below the buttons."""
    # Numbered, since Gradio sends no value that equals the last one.
    session.sentences += 1
    return {page.message: {"text": sentence, "number": session.sentences}}


def show_start(page: Layout, session: Session, sentence: str = "") -> Updates:
    label, number = (session.race.label, session.race.number) if session.race else ("", 0)
    return {
        **show_sentence(page, session, sentence),
        **show_turns(page, session),
        **show_both(page, "queued", label, number),
        **enable_retry(page, True),
    }


def enable_retry(page: Layout, enabled: bool) -> Updates:
    """Retry and Clear: whether they can be pressed."""
    return {button: gr.update(interactive=enabled) for button in (page.retry, page.clear)}


def show_speed(page: Layout, status: Status) -> Updates:
    """The speeds with the machine's own rate, and the first race's speed and length, once the model is ready."""
    if not isinstance(status, Ready):
        return {}
    rate = status.card.rate
    return {
        page.pace: gr.update(choices=list_speeds(rate), value=choose_pace(rate)),
        page.controls["length"]: choose_length(rate),
    }


def show_both(page: Layout, phase: Phase, label: str, number: int) -> Updates:
    """Both sides in a phase in which they show no text."""
    streamed, whole = (show(pane, PaneView(pane.side, phase, label=label, number=number)) for pane in page.panes)
    return {**streamed, **whole}


def show_turns(page: Layout, session: Session) -> Updates:
    """The conversation so far, and the last question."""
    streamed, whole = (show_past(pane, session.turns) for pane in page.panes)
    return {**streamed, **whole, page.question: {"text": session.question.text}}


def show_results(page: Layout, runs: Sequence[Turn], price: float) -> Updates:
    """A race that has ended, the last of `runs`, and the earlier ones: last views, charts, tables."""
    last = runs[-1]
    updates = {
        **show(page.streamed, last.streamed),
        **show(page.whole, last.whole),
        page.results: gr.update(visible=True),
        page.timeline: show_chart(plots.draw_timeline(last.streamed, last.whole), plots.describe_timeline(last)),
        page.latency: show_chart(plots.draw_latency(runs), plots.describe_latency(runs)),
        page.table: write_json(list_runs(runs)),
        page.trace: write_export(last.trace, last.number),
        page.lesson.saved: write_json(list_saved(runs, price)),
        page.lesson.definitions: write_json(list_definitions(runs)),
    }
    if last.question.kind != "recording" and last.trace is not None and last.trace.pace is None:
        updates[page.pace] = gr.update(choices=list_speeds(last.streamed.timeline.rate))
    if last.question.options is not None:
        updates[page.lesson.example] = write_json(list_example(last.question.options, runs, last))
    return updates


def write_export(trace: Trace | None, number: int) -> str | None:
    """What the browser needs to save, link to and draw run `number`, as JSON; None where it was not completed."""
    if trace is None:
        return None
    export = {"number": number, "trace": write_trace(trace), "fragment": f"trace={write_fragment(trace)}"}
    return write_json(export)
