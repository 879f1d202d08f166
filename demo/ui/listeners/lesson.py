"""What happens in the lesson's own stations and on arrival by a link. The rest of the lesson lives in the browser."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import gradio as gr

from demo.errors import DemoError
from demo.events import Engine, Sampling
from demo.trace import Trace
from demo.ui.components.layout import Layout
from demo.ui.components.pane import Updates
from demo.ui.listeners.updates import nothing, say, show_start
from demo.ui.session import Sessions
from demo.ui.view.links import Shared, read_link, write_link
from demo.ui.view.options import GenerationOptions, Position
from demo.ui.view.tables import write_example, write_saved
from demo.ui.view.turn import Example

# Of many prompts and seeds that were read to the end, the one whose thousandth token still tells the story.
EXAMPLE_QUESTION: Final = "Write a very long adventure story about a boy and his dog who travel around the world."
EXAMPLE_SAMPLING: Final = Sampling(do_sample=True, temperature=0.6, top_p=0.9, repetition_penalty=1.1, seed=3)


@dataclass(frozen=True, slots=True, eq=False)
class LessonListeners:
    """The functions behind the lesson's components, each in the name of the tab that asks."""

    engine: Engine
    page: Layout
    sessions: Sessions

    async def begin_example(self, request: gr.Request, length: float, pace: float) -> Updates:
        """The documentation's example in the two panels: so many tokens at such a rate, whatever the drawer says."""
        session = self.sessions.find(request.session_hash)
        example = _read_example(length, pace)
        options = GenerationOptions(example.tokens, EXAMPLE_SAMPLING, example.pace)
        try:
            session.begin_example(self.engine, EXAMPLE_QUESTION, options)
        except DemoError as error:
            return say(self.page, session, str(error))
        session.example = example
        table = {self.page.lesson.example: write_example(example, session.runs, None)}
        return {**show_start(self.page, session), **table}

    def predict(self, request: gr.Request, length: float, pace: float) -> Updates:
        """What the example's dials let one expect."""
        runs = self.sessions.find(request.session_hash).runs
        return {self.page.lesson.example: write_example(_read_example(length, pace), runs, None)}

    def weigh(self, request: gr.Request, price: float) -> Updates:
        """What the last run's early stop saved, at this price."""
        return {self.page.lesson.saved: write_saved(self.sessions.find(request.session_hash).runs, price)}

    def share(self, asked: Sequence[Position]) -> Updates:
        """The end of a link that brings back this prompt and these dials."""
        return {self.page.lesson.link: {"fragment": write_link(Shared(str(asked[0]), asked[2:]))}}

    async def arrive(self, request: gr.Request, fragment: str) -> Updates:
        """What the address asks for after its `#`: a prompt with dials, or a recorded run, which begins at once."""
        session = self.sessions.find(request.session_hash)
        try:
            asked = read_link(fragment)
            if isinstance(asked, Trace):
                session.replay(asked)
        except DemoError as error:
            return say(self.page, session, str(error))
        if isinstance(asked, Trace):
            return show_start(self.page, session)
        if asked is None:
            return nothing()
        session.has_chosen_speed = True
        return self._show_shared(asked)

    def _show_shared(self, shared: Shared) -> Updates:
        positions: Sequence[Position] = shared.positions
        return {self.page.prompt: shared.prompt, **dict(zip(self.page.controls.inputs, positions, strict=True))}


def _read_example(length: float, pace: float) -> Example:
    return Example(int(length), pace or None)
