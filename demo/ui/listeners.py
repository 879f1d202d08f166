"""What happens on each click: the page's listeners. Both sides read one run: one yields, the other returns once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import gradio as gr

from demo.errors import DemoError
from demo.events import Broken, Engine, Loading, Ready, Status
from demo.ui.chart import show_chart
from demo.ui.dials import Position, read_dials
from demo.ui.layout import Layout, write_table
from demo.ui.pane import Updates, show, show_growth, show_past
from demo.ui.panes import PaneView
from demo.ui.plots import draw_latency, draw_timeline, list_rows, say_latency, say_timeline
from demo.ui.visitor import Visitor, Visitors

KEYS = "Enter sends, Shift+Enter starts a new line, Esc stops"
POLL = 0.2  # seconds between two looks at a model that is still loading


@dataclass(frozen=True, slots=True, eq=False)
class Listeners:
    """The functions behind the page's components, each in the name of the tab that asks."""

    engine: Engine
    page: Layout
    visitors: Visitors

    async def begin(self, request: gr.Request, prompt: str, *dials: Position) -> Updates:
        """Start a race for what was typed, or say why not."""
        visitor = self.visitors.find(request.session_hash)
        try:
            visitor.begin(self.engine, prompt, *read_dials(dials))
        except DemoError as error:
            return self._say(visitor, str(error))
        return {**self._show_start(visitor), self.page.prompt: ""}

    async def begin_again(self, request: gr.Request, *dials: Position) -> Updates:
        """Ask the last question once more, as the same turn."""
        visitor = self.visitors.find(request.session_hash)
        await _end(visitor)
        again = visitor.take_back()
        try:
            visitor.begin(self.engine, again.question if again else "", *read_dials(dials))
        except DemoError as error:
            visitor.put_back(again)
            return self._say(visitor, str(error))
        return self._show_start(visitor)

    async def stream(self, request: gr.Request) -> AsyncIterator[Updates]:
        """The streaming side: a generator that yields the text as it grows."""
        race = self.visitors.find(request.session_hash).claim("stream")
        if race is None:
            yield _nothing()
            return
        shown = None
        async for view in race.stream():
            yield show_growth(self.page.streamed, view) if view.phase == shown else show(self.page.streamed, view)
            shown = view.phase

    async def wait_whole(self, request: gr.Request) -> Updates:
        """The non-streaming side: a function that returns once, when all of the text is there."""
        race = self.visitors.find(request.session_hash).claim("wait")
        return _nothing() if race is None else show(self.page.whole, await race.wait())

    async def narrate(self, request: gr.Request) -> AsyncIterator[Updates]:
        """What the non-streaming side is waiting for, in words: it has nothing else to show."""
        race = self.visitors.find(request.session_hash).claim("narrate")
        if race is None:
            yield _nothing()
            return
        async for view in race.narrate():
            yield show(self.page.whole, view)

    async def settle(self, request: gr.Request) -> Updates:
        """When both sides have ended: their last words, the plots and the table. Drawn once."""
        visitor = self.visitors.find(request.session_hash)
        if not visitor.settle():
            return _nothing()
        last = visitor.turns[-1]
        return {
            **show(self.page.streamed, last.streamed),
            **show(self.page.whole, last.whole),
            self.page.results: gr.Column(visible=True),
            self.page.timeline: show_chart(draw_timeline(last.streamed, last.whole), say_timeline(last)),
            self.page.latency: show_chart(draw_latency(visitor.runs), say_latency(visitor.runs)),
            self.page.table: write_table(list_rows(visitor.runs)),
        }

    def stop_streamed(self, request: gr.Request) -> None:
        """Freeze the streaming side; the other goes on."""
        self.visitors.find(request.session_hash).leave("streamed")

    def stop_whole(self, request: gr.Request) -> None:
        """Give up the non-streaming side; the other goes on."""
        self.visitors.find(request.session_hash).leave("whole")

    def stop_all(self, request: gr.Request) -> None:
        """Stop both sides, and the work with them."""
        self.visitors.find(request.session_hash).leave_all()

    async def clear(self, request: gr.Request) -> Updates:
        """Start over: no conversation, no numbers."""
        visitor = self.visitors.find(request.session_hash)
        await _end(visitor)
        visitor.start_over()
        idle = {**show(self.page.streamed, PaneView("streamed")), **show(self.page.whole, PaneView("whole"))}
        return {
            **self._say(visitor, ""),
            **self._show_turns(visitor),
            **idle,
            self.page.results: gr.Column(visible=False),
        }

    async def watch_model(self, request: gr.Request) -> AsyncIterator[Updates]:
        """What is loading, until the model is ready: then Generate may be pressed.

        It lasts as long as the tab, for the sake of Gradio's client: that closes its event stream whenever no
        listener is running, and loses what has just been asked. Kept open, the next answer also begins sooner.
        """
        status, said = self.engine.status, ""
        while True:
            if said != (words := say_status(status)):
                yield {self.page.model: words, self.page.generate: gr.Button(interactive=isinstance(status, Ready))}
            if not isinstance(status, Loading):
                break
            said = words
            await asyncio.sleep(POLL)
            status = self.engine.status
        await self.visitors.find(request.session_hash).gone.wait()

    def drop(self, request: gr.Request) -> None:
        """The tab has gone."""
        self.visitors.drop(request.session_hash)

    def _say(self, visitor: Visitor, sentence: str) -> Updates:
        # Numbered, so that the same sentence said twice still is news to the page.
        visitor.attempts += 1
        return {self.page.message: {"text": sentence, "number": visitor.attempts}}

    def _show_start(self, visitor: Visitor) -> Updates:
        queued = [show(pane, PaneView(pane.side, "queued")) for pane in self.page.panes]
        return {**self._say(visitor, ""), **self._show_turns(visitor), **queued[0], **queued[1]}

    def _show_turns(self, visitor: Visitor) -> Updates:
        past = [show_past(pane, visitor.turns) for pane in self.page.panes]
        return {**past[0], **past[1], self.page.question: {"text": visitor.question}}


async def _end(visitor: Visitor) -> None:
    """Stop what is under way and wait until both sides have shown their last."""
    visitor.leave_all()
    if visitor.race is not None:
        await visitor.race.over.wait()


def _nothing() -> Updates:
    nothing: Updates = gr.skip()
    return nothing


def say_status(status: Status) -> str:
    """The model's status, or its name once it is ready, in one line."""
    if isinstance(status, Broken):
        return str(status.error)
    if isinstance(status, Loading):
        percent = "" if status.fraction is None else f" {status.fraction:.0%}"
        return f"Loading the model: {status.step}{percent} …"
    card = status.card
    return f"{card.model_id} ({card.source}) on {card.device}, {card.dtype} · {KEYS}"
