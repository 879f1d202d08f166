"""The race's listeners. Both sides read one run: one listener yields, the other returns once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import gradio as gr

from demo.access import Access, may_operate_page
from demo.address import read_address
from demo.engine import Broken, Engine, Loading, Ready, Status
from demo.engines.replay import choose_recording
from demo.errors import DemoError, NotReady, Overloaded
from demo.trace import Trace
from demo.ui.components.layout import Layout
from demo.ui.components.pane import Updates, show
from demo.ui.listeners import updates
from demo.ui.race import take_number
from demo.ui.session import Session, Sessions
from demo.ui.view.larger import UNREACHABLE, describe_offer, has_offer
from demo.ui.view.options import ControlValue, GenerationOptions, read_options
from demo.ui.view.turn import Question
from demo.ui.view.words import ARRIVALS, Side

REPLAYED = "A recorded run is played instead."
REFUSAL_SECONDS = 2.0  # seconds in which a platform refuses a run; after that the visitor sees that it is queued
RETRIED = "Recorded runs stand in; loading is tried again by itself."
POLL_SECONDS = 0.2  # seconds between two looks at a model that is still loading
WATCH_SECONDS = 2.0  # and at one that is ready or broken

# How many turns of the conversation a question replaces in each mode; None is all of them.
REPLACED: Final[dict[str, int | None]] = {"fresh": None, "example": None, "continue": 0, "edit": 1}


@dataclass(frozen=True, slots=True, eq=False)
class RaceListeners:
    """The functions behind the race's components, each for the session that calls it."""

    engine: Engine
    page: Layout
    sessions: Sessions
    recordings: Sequence[Trace] = ()
    access: Access | None = None
    reaches_hub: Callable[[], bool] = lambda: False

    # Way 3: The listener finds the tab's session and starts a race for the prompt
    async def generate(self, request: gr.Request, inputs: Sequence[ControlValue]) -> Updates:
        """Start a race for the prompt with the controls' values, or show why not."""
        session = self.sessions.of(request)
        prompt, mode, before = str(inputs[0]), read_mode(inputs[1]), session.race
        if mode == "example":
            await _stop(session)
        started = await self._start(session, Question(prompt), inputs[2:], REPLACED[mode])
        if mode == "continue" and session.race is not before and session.question.text == prompt:
            started[self.page.prompt] = ""
        return started

    async def retry(self, request: gr.Request, inputs: Sequence[ControlValue]) -> Updates:
        """Start a race for the last question again, as the same turn."""
        session = self.sessions.of(request)
        await _stop(session)
        return await self._start(session, session.turns[-1].question if session.turns else Question(""), inputs[2:], 1)

    async def complete(self, request: gr.Request, inputs: Sequence[ControlValue]) -> Updates:
        """Start a race for the rest of an answer that was cut off at its maximum length."""
        session = self.sessions.of(request)
        return await self._start(session, Question(session.question.text, "rest"), inputs[2:])

    # Way 4: A race that can't start is explained; a recorded run replaces a model that can't answer
    async def _start(
        self, session: Session, question: Question, controls: Sequence[ControlValue], replaced: int | None = 0
    ) -> Updates:
        """Start a race: with the model, or with a recorded run where that can't answer now; or show why not."""
        status = self.engine.status
        try:
            session.check(question.text)
            options = read_options(controls)
            if question.kind == "turn" and isinstance(status, Ready) and status.card.source == "recorded":
                return await self._replay(session, question.text, options, replaced)
            await session.start(self.engine, question, options, replaced)
            await self._check_quota(session, status)
        except (NotReady, Overloaded) as error:
            return await self._replay(session, question.text, options, replaced, str(error))
        except DemoError as error:
            return updates.show_sentence(self.page, session, str(error))
        return updates.show_start(self.page, session)

    async def _check_quota(self, session: Session, status: Status) -> None:
        """Raise the refusal of an engine that learns only from its platform whether the visitor may have a run."""
        if session.race is None or not (isinstance(status, Ready) and status.card.costs_quota):
            return
        refusal = await session.race.find_refusal(REFUSAL_SECONDS)
        if refusal is not None:
            session.withdraw()
            raise refusal

    async def _replay(
        self, session: Session, question: str, options: GenerationOptions, replaced: int | None, reason: str = ""
    ) -> Updates:
        """Play a recorded run in place of an answer, and show why."""
        trace = choose_recording(self.recordings, question)
        if trace is None:
            return updates.show_sentence(self.page, session, reason)
        try:
            await session.start(self.engine, Question(trace.question, "recording", trace), options, replaced)
        except DemoError as refusal:
            return updates.show_sentence(self.page, session, str(refusal))
        if not reason and trace.question != question.strip():
            reason = "This server only plays recorded runs, and has none of this prompt"
        return updates.show_start(self.page, session, f"{reason.rstrip('.')}. {REPLAYED}" if reason else "")

    # Way 20: The listener yields the value, as any generator behind a Gradio component does
    async def stream(self, request: gr.Request) -> AsyncIterator[Updates]:
        """The streaming side: a generator that yields the text as it grows."""
        session = self.sessions.of(request)
        race = session.follow("stream")
        if race is None:
            yield updates.SKIP
            return
        async for view in race.stream(partial(self.sessions.choose_interval, session)):
            yield show(self.page.streamed, view)

    async def wait_whole(self, request: gr.Request) -> Updates:
        """The non-streaming side: a function that returns once, when all of the text is there."""
        race = self.sessions.of(request).follow("wait_whole")
        return updates.SKIP if race is None else show(self.page.whole, await race.wait())

    async def report_progress(self, request: gr.Request) -> AsyncIterator[Updates]:
        """The phase of the non-streaming side, which has nothing else to show before its end."""
        race = self.sessions.of(request).follow("report_progress")
        if race is None:
            yield updates.SKIP
            return
        async for view in race.report_progress():
            yield show(self.page.whole, view)

    async def record(self, request: gr.Request, price: float) -> Updates:
        """When both sides have ended: their last views, the charts and the tables. Drawn once."""
        session = self.sessions.of(request)
        if session.race is not None:
            await session.race.ended.wait()
        if not session.record():
            return updates.SKIP
        # In a thread: drawing would hold up this event loop for every other session.
        return await asyncio.to_thread(updates.show_results, self.page, tuple(session.runs), price)

    def stop(self, *sides: Side) -> Callable[[gr.Request], None]:
        """A listener that stops these sides, while the other continues; both by default, and the work with them."""

        def stop_sides(request: gr.Request) -> None:
            self.sessions.of(request).stop(*sides)

        return stop_sides

    async def clear(self, request: gr.Request) -> Updates:
        """Start over: no conversation, no numbers."""
        session = self.sessions.of(request)
        await _stop(session)
        session.reset()
        return {
            **updates.show_sentence(self.page, session, ""),
            **updates.show_turns(self.page, session),
            **updates.show_both(self.page, "idle", "", take_number()),
            **updates.enable_retry(self.page, False),
            self.page.results: gr.update(visible=False),
        }

    async def watch_model(self, request: gr.Request) -> AsyncIterator[Updates]:
        """The model's status, whenever it changes, until the tab is closed: also when it breaks or is loaded again."""
        session = self.sessions.of(request)
        shown, has_shown_speed = "", False
        while True:
            status = self.engine.status
            if shown != (sentence := describe_status(status)):
                shown, enabled = sentence, isinstance(status, Ready) or bool(self.recordings)
                speed = {} if session.has_chosen_speed or has_shown_speed else updates.show_speed(self.page, status)
                has_shown_speed = has_shown_speed or bool(speed)
                line = {"text": sentence, "pending": not isinstance(status, Ready)}
                line["larger"] = isinstance(status, Ready) and has_offer(status.card)
                is_tried_again = isinstance(status, Broken) and status.retry_at is not None
                line["reload"] = is_tried_again and self._may_reload(request)
                yield {self.page.model: line, self.page.generate: gr.update(interactive=enabled), **speed}
            await asyncio.sleep(POLL_SECONDS if isinstance(status, Loading) else WATCH_SECONDS)

    def _may_reload(self, request: gr.Request) -> bool:
        return self.access is not None and may_operate_page(self.access, read_address(request), request.headers)

    async def offer_larger(self, request: gr.Request) -> Updates:
        """Name larger models, if the hub can be reached from here."""
        status, session = self.engine.status, self.sessions.of(request)
        if not isinstance(status, Ready):
            return updates.show_sentence(self.page, session, describe_status(status))
        is_reached = await asyncio.to_thread(self.reaches_hub)
        return updates.show_sentence(self.page, session, describe_offer(status.card) if is_reached else UNREACHABLE)

    def choose_speed(self, request: gr.Request) -> None:
        """The speed was set by hand: a model that becomes ready does not change it."""
        self.sessions.of(request).has_chosen_speed = True

    async def hide(self, request: gr.Request) -> None:
        """Another tab hides this one."""
        self.sessions.of(request).hidden = True

    async def unhide(self, request: gr.Request) -> None:
        """This tab can be seen again."""
        self.sessions.of(request).hidden = False


async def _stop(session: Session) -> None:
    """Stop the race under way, wait until both sides have shown their last view, and record it."""
    session.stop()
    if session.race is not None:
        await session.race.ended.wait()
        session.record()


def read_mode(value: ControlValue) -> str:
    """How the question relates to the conversation: as the page's script says, or else as the checkbox says."""
    return str(value) if value in REPLACED else "continue" if value is True else "fresh"


def describe_status(status: Status) -> str:
    """The model's status, or its name once it is ready, in one line."""
    if isinstance(status, Broken):
        return str(status.error) + ("" if status.retry_at is None else f" {RETRIED}")
    if isinstance(status, Loading):
        percent = "" if status.fraction is None else f" {status.fraction:.0%}"
        reason = "" if status.failure is None else f" Loaded again after an error: {status.failure}"
        return f"Loading the model: {status.step}{percent} …{reason}"
    card = status.card
    if card.source == "recorded":
        return f"Recorded runs of {card.model_id} on {card.device}, {card.dtype}; no model answers here"
    if card.source == "endpoint":
        return f"{card.model_id} on {card.device}: {ARRIVALS}"
    return f"{card.model_id} ({card.source}) on {card.device}, {card.dtype}"
