"""What happens on each click: the page's listeners. Both sides read one run: one yields, the other returns once."""

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
    nothing,
    offer_again,
    say,
    show_both,
    show_results,
    show_speed,
    show_start,
    show_turns,
)
from demo.ui.race import take_number
from demo.ui.session import Session, Sessions
from demo.ui.view.options import Position, read_options
from demo.ui.view.turn import Question

STANDS_IN = "A recorded run stands in."
POLL_SECONDS = 0.2  # seconds between two looks at a model that is still loading

How: TypeAlias = Literal["fresh", "example", "continue", "edit"]
# How many turns are taken out of the conversation before the question is asked; None is all of them.
COUNTS: Final[dict[str, int | None]] = {"fresh": None, "example": None, "continue": 0, "edit": 1}


@dataclass(frozen=True, slots=True, eq=False)
class Listeners:
    """The functions behind the page's components, each in the name of the tab that asks."""

    engine: Engine
    page: Layout
    sessions: Sessions
    recordings: Sequence[Trace] = ()

    # Way 3: The listener finds the tab's session and starts a race for the prompt
    async def begin(self, request: gr.Request, asked: Sequence[Position]) -> Updates:
        """Start a race for what was typed or picked, with the dials as they stand, or say why not."""
        prompt, how, controls = str(asked[0]), read_how(asked[1]), asked[2:]
        session = self.sessions.find(request.session_hash)
        if how == "example":
            await _end(session)
        before = session.race
        taken = [] if session.racing else session.remove_turns(COUNTS[how])
        updates = self._start(session, Question(prompt, "turn"), controls)
        if session.race is before:
            session.restore_turns(taken)
        elif how == "continue" and session.question == prompt:
            updates[self.page.prompt] = ""
        return updates

    async def begin_again(self, request: gr.Request, asked: Sequence[Position]) -> Updates:
        """Ask the last question once more, as the same turn."""
        session = self.sessions.find(request.session_hash)
        await _end(session)
        again, before = session.remove_turns(1), session.race
        updates = self._start(session, again[0].asked if again else Question("", "turn"), asked[2:])
        if session.race is before:
            session.restore_turns(again)
        return updates

    async def complete(self, request: gr.Request, asked: Sequence[Position]) -> Updates:
        """Write the rest of an answer that was cut off by its length."""
        session = self.sessions.find(request.session_hash)
        return self._start(session, Question(session.question, "rest"), asked[2:])

    # Way 4: A race that can't start is explained; a recorded run replaces a model that can't answer
    def _start(self, session: Session, asked: Question, controls: Sequence[Position]) -> Updates:
        """Begin a race: with the model, or with a recorded run where that can't answer now; or say why not."""
        try:
            session.check(asked.question)
            options = read_options(controls)
            if asked.kind == "turn" and is_recorded(self.engine):
                return self._stand_in(session, asked.question, options.pace)
            session.begin_again(self.engine, asked, options)
        except (NotReady, Overloaded) as error:
            return self._stand_in(session, asked.question, options.pace, str(error))
        except DemoError as error:
            return say(self.page, session, str(error))
        return show_start(self.page, session)

    def _stand_in(self, session: Session, question: str, pace: float | None, reason: str = "") -> Updates:
        """A recorded run in place of an answer that can't be had, and both said."""
        trace = choose_recording(self.recordings, question)
        if trace is None:
            return say(self.page, session, reason)
        try:
            session.replay(trace, pace)
        except DemoError as refusal:
            return say(self.page, session, str(refusal))
        if not reason and trace.question != question.strip():
            reason = "This server plays recorded runs only, and none of this prompt"
        return show_start(self.page, session, f"{reason.rstrip('.')}. {STANDS_IN}" if reason else "")

    # Way 20: The listener yields the value; Gradio sends the browser only what is new in it
    async def stream(self, request: gr.Request) -> AsyncIterator[Updates]:
        """The streaming side: a generator that yields the text as it grows."""
        session = self.sessions.find(request.session_hash)
        race = session.claim("stream")
        if race is None:
            yield nothing()
            return
        async for view in race.stream(partial(self.sessions.choose_interval, session)):
            yield show(self.page.streamed, view)

    async def wait_whole(self, request: gr.Request) -> Updates:
        """The non-streaming side: a function that returns once, when all of the text is there."""
        race = self.sessions.find(request.session_hash).claim("wait")
        return nothing() if race is None else show(self.page.whole, await race.wait())

    async def narrate(self, request: gr.Request) -> AsyncIterator[Updates]:
        """What the non-streaming side is waiting for, in words: it has nothing else to show."""
        race = self.sessions.find(request.session_hash).claim("narrate")
        if race is None:
            yield nothing()
            return
        async for view in race.narrate():
            yield show(self.page.whole, view)

    async def settle(self, request: gr.Request, price: float) -> Updates:
        """When both sides have ended: their last words, the charts and the tables. Drawn once."""
        session = self.sessions.find(request.session_hash)
        if not session.settle():
            return nothing()
        # Aside: drawing takes long enough to be noticed by everybody else whom this event loop serves.
        return await asyncio.to_thread(show_results, self.page, tuple(session.runs), session.example, price)

    def stop_streamed(self, request: gr.Request) -> None:
        """Freeze the streaming side; the other goes on."""
        self.sessions.find(request.session_hash).leave("streamed")

    def stop_whole(self, request: gr.Request) -> None:
        """Give up the non-streaming side; the other goes on."""
        self.sessions.find(request.session_hash).leave("whole")

    def stop_all(self, request: gr.Request) -> None:
        """Stop both sides, and the work with them."""
        self.sessions.find(request.session_hash).leave_all()

    async def clear(self, request: gr.Request) -> Updates:
        """Start over: no conversation, no numbers."""
        session = self.sessions.find(request.session_hash)
        await _end(session)
        session.reset()
        return {
            **say(self.page, session, ""),
            **show_turns(self.page, session),
            **show_both(self.page, "idle", "", take_number()),
            **offer_again(self.page, False),
            self.page.results: gr.Column(visible=False),
        }

    async def watch_model(self, request: gr.Request) -> AsyncIterator[Updates]:
        """What is loading, until the model is ready: then Generate may be pressed.

        It lasts as long as the tab, for the sake of Gradio's client: that closes its event stream whenever no
        listener is running, and loses what has just been asked. Kept open, the next answer also begins sooner.
        """
        session = self.sessions.find(request.session_hash)
        status, said = self.engine.status, ""
        while True:
            if said != (words := describe_status(status)):
                askable = isinstance(status, Ready) or bool(self.recordings)
                speed = {} if session.has_chosen_speed else show_speed(self.page, status)
                yield {self.page.model: words, self.page.generate: gr.Button(interactive=askable), **speed}
            if not isinstance(status, Loading):
                break
            said = words
            await asyncio.sleep(POLL_SECONDS)
            status = self.engine.status
        await session.gone.wait()

    def choose_speed(self, request: gr.Request) -> None:
        """The visitor has chosen a speed: a model that is ready only now does not choose another."""
        self.sessions.find(request.session_hash).has_chosen_speed = True

    async def look_away(self, request: gr.Request) -> None:
        """Another tab is in front."""
        self.sessions.find(request.session_hash).away = True

    async def look_back(self, request: gr.Request) -> None:
        """This tab is in front again."""
        self.sessions.find(request.session_hash).away = False

    def drop(self, request: gr.Request) -> None:
        """The tab has gone."""
        self.sessions.drop(request.session_hash)


async def _end(session: Session) -> None:
    """Stop what is under way and wait until both sides have shown their last."""
    session.leave_all()
    if session.race is not None:
        await session.race.over.wait()


def read_how(position: Position | bool) -> How:
    """How a question is asked: what the script says, or else whether the box "Continue the conversation" is ticked."""
    if isinstance(position, str) and position in COUNTS:
        return cast(How, position)
    return "continue" if position is True else "fresh"


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
