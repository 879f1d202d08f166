"""The race's listeners. Both sides read one run: one listener yields, the other returns once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal, TypeAlias, cast

import gradio as gr

from demo.engines.replay import choose_recording
from demo.errors import DemoError, NotReady, Overloaded
from demo.events import Broken, Engine, Loading, Ready, Status
from demo.trace import Trace
from demo.ui.components.layout import Layout
from demo.ui.components.pane import Updates, show
from demo.ui.listeners.updates import (
    enable_retry,
    show_both,
    show_results,
    show_sentence,
    show_speed,
    show_start,
    show_turns,
    skip,
)
from demo.ui.race import take_number
from demo.ui.session import Session, Sessions
from demo.ui.view.options import ControlValue, GenerationOptions, read_options
from demo.ui.view.turn import Question

REPLAYED = "A recorded run is played instead."
POLL_SECONDS = 0.2  # seconds between two looks at a model that is still loading

Mode: TypeAlias = Literal["fresh", "example", "continue", "edit"]
# How many turns each mode removes from the conversation before the question; None is all of them.
REMOVED_TURNS: Final[dict[str, int | None]] = {"fresh": None, "example": None, "continue": 0, "edit": 1}


@dataclass(frozen=True, slots=True, eq=False)
class RaceListeners:
    """The functions behind the race's components, each for the session that calls it."""

    engine: Engine
    page: Layout
    sessions: Sessions
    recordings: Sequence[Trace] = ()

    async def generate(self, request: gr.Request, asked: Sequence[ControlValue]) -> Updates:
        """Start a race for the prompt with the controls' values, or show why not."""
        session = self.sessions.find(request.session_hash)
        prompt, mode, before = str(asked[0]), read_mode(asked[1]), session.race
        if mode == "example":
            await _stop(session)
        updates = self._start_turn(session, Question(prompt), REMOVED_TURNS[mode], asked[2:])
        if mode == "continue" and session.race is not before and session.question.text == prompt:
            updates[self.page.prompt] = ""
        return updates

    async def retry(self, request: gr.Request, asked: Sequence[ControlValue]) -> Updates:
        """Start a race for the last question again, as the same turn."""
        session = self.sessions.find(request.session_hash)
        await _stop(session)
        session.record()
        question = session.turns[-1].question if session.turns else Question("")
        return self._start_turn(session, question, 1, asked[2:])

    async def complete(self, request: gr.Request, asked: Sequence[ControlValue]) -> Updates:
        """Start a race for the rest of an answer that was cut off at its maximum length."""
        session = self.sessions.find(request.session_hash)
        return self._start(session, Question(session.question.text, "rest"), asked[2:])

    def _start_turn(
        self, session: Session, question: Question, count: int | None, controls: Sequence[ControlValue]
    ) -> Updates:
        """Start a race in place of the last `count` turns, which stay in the conversation where it can't start."""
        removed, before = [] if session.racing else session.remove_turns(count), session.race
        updates = self._start(session, question, controls)
        if session.race is before:
            session.restore_turns(removed)
        return updates

    def _start(self, session: Session, question: Question, controls: Sequence[ControlValue]) -> Updates:
        """Start a race: with the model, or with a recorded run where that can't answer now; or show why not."""
        try:
            session.check(question.text)
            options = read_options(controls)
            if question.kind == "turn" and is_recorded(self.engine):
                return self._replay(session, question.text, options)
            session.start(self.engine, question, options)
        except (NotReady, Overloaded) as error:
            return self._replay(session, question.text, options, str(error))
        except DemoError as error:
            return show_sentence(self.page, session, str(error))
        return show_start(self.page, session)

    def _replay(self, session: Session, question: str, options: GenerationOptions, reason: str = "") -> Updates:
        """Play a recorded run in place of an answer, and show why."""
        trace = choose_recording(self.recordings, question)
        if trace is None:
            return show_sentence(self.page, session, reason)
        try:
            session.start(self.engine, Question(trace.question, "recording", trace), options)
        except DemoError as refusal:
            return show_sentence(self.page, session, str(refusal))
        if not reason and trace.question != question.strip():
            reason = "This server only plays recorded runs, and has none of this prompt"
        return show_start(self.page, session, f"{reason.rstrip('.')}. {REPLAYED}" if reason else "")

    async def stream(self, request: gr.Request) -> AsyncIterator[Updates]:
        """The streaming side: a generator that yields the text as it grows."""
        session = self.sessions.find(request.session_hash)
        race = session.follow("stream")
        if race is None:
            yield skip()
            return
        async for view in race.stream(partial(self.sessions.choose_interval, session)):
            yield show(self.page.streamed, view)

    async def wait_whole(self, request: gr.Request) -> Updates:
        """The non-streaming side: a function that returns once, when all of the text is there."""
        race = self.sessions.find(request.session_hash).follow("wait_whole")
        return skip() if race is None else show(self.page.whole, await race.wait())

    async def report_progress(self, request: gr.Request) -> AsyncIterator[Updates]:
        """The phase of the non-streaming side, which has nothing else to show before its end."""
        race = self.sessions.find(request.session_hash).follow("report_progress")
        if race is None:
            yield skip()
            return
        async for view in race.report_progress():
            yield show(self.page.whole, view)

    async def record(self, request: gr.Request, price: float) -> Updates:
        """When both sides have ended: their last views, the charts and the tables. Drawn once."""
        session = self.sessions.find(request.session_hash)
        if not session.record():
            return skip()
        # In a thread: drawing would hold up this event loop for every other session.
        return await asyncio.to_thread(show_results, self.page, tuple(session.runs), session.example, price)

    def stop_streamed(self, request: gr.Request) -> None:
        """Stop the streaming side; the other continues."""
        self.sessions.find(request.session_hash).stop("streamed")

    def stop_whole(self, request: gr.Request) -> None:
        """Stop the non-streaming side; the other continues."""
        self.sessions.find(request.session_hash).stop("whole")

    def stop_both(self, request: gr.Request) -> None:
        """Stop both sides, and the work with them."""
        self.sessions.find(request.session_hash).stop()

    async def clear(self, request: gr.Request) -> Updates:
        """Start over: no conversation, no numbers."""
        session = self.sessions.find(request.session_hash)
        await _stop(session)
        session.reset()
        return {
            **show_sentence(self.page, session, ""),
            **show_turns(self.page, session),
            **show_both(self.page, "idle", "", take_number()),
            **enable_retry(self.page, False),
            self.page.results: gr.Column(visible=False),
        }

    async def watch_model(self, request: gr.Request) -> AsyncIterator[Updates]:
        """The model's status until it is ready: then Generate can be pressed.

        It lasts as long as the tab: Gradio's client closes its event stream whenever no listener is running, and then
        loses what a click has just started. With the stream open, the next answer also begins sooner.
        """
        session = self.sessions.find(request.session_hash)
        status, shown = self.engine.status, ""
        while True:
            if shown != (sentence := describe_status(status)):
                enabled = isinstance(status, Ready) or bool(self.recordings)
                speed = {} if session.has_chosen_speed else show_speed(self.page, status)
                yield {self.page.model: sentence, self.page.generate: gr.Button(interactive=enabled), **speed}
            if not isinstance(status, Loading):
                break
            shown = sentence
            await asyncio.sleep(POLL_SECONDS)
            status = self.engine.status
        await session.closed.wait()

    def choose_speed(self, request: gr.Request) -> None:
        """The speed was set by hand: a model that becomes ready does not change it."""
        self.sessions.find(request.session_hash).has_chosen_speed = True

    async def hide(self, request: gr.Request) -> None:
        """Another tab hides this one."""
        self.sessions.find(request.session_hash).hidden = True

    async def unhide(self, request: gr.Request) -> None:
        """This tab can be seen again."""
        self.sessions.find(request.session_hash).hidden = False

    def close(self, request: gr.Request) -> None:
        """The tab was closed."""
        self.sessions.close(request.session_hash)


async def _stop(session: Session) -> None:
    """Stop the race under way and wait until both sides have shown their last view."""
    session.stop()
    if session.race is not None:
        await session.race.ended.wait()


def read_mode(value: ControlValue) -> Mode:
    """How the question relates to the conversation: as the page's script says, or else as the checkbox says."""
    if isinstance(value, str) and value in REMOVED_TURNS:
        return cast(Mode, value)
    return "continue" if value is True else "fresh"


def is_recorded(engine: Engine) -> bool:
    """Whether there is no model, only recorded runs."""
    status = engine.status
    return isinstance(status, Ready) and status.card.source == "recorded"


def describe_status(status: Status) -> str:
    """The model's status, or its name once it is ready, in one line."""
    if isinstance(status, Broken):
        return str(status.error)
    if isinstance(status, Loading):
        percent = "" if status.fraction is None else f" {status.fraction:.0%}"
        return f"Loading the model: {status.step}{percent} …"
    card = status.card
    if card.source == "recorded":
        return f"Recorded runs of {card.model_id} on {card.device}, {card.dtype}; no model answers here"
    return f"{card.model_id} ({card.source}) on {card.device}, {card.dtype}"
