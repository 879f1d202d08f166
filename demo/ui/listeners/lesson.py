"""The lesson's listeners, and what a link to the page shows. The other stations run in the browser."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import gradio as gr

from demo.engine import Engine
from demo.errors import DemoError
from demo.prompt_threads import run_beside
from demo.request import Sampling
from demo.trace import Trace
from demo.ui.components.layout import Layout
from demo.ui.components.markup import write_json
from demo.ui.components.pane import Updates
from demo.ui.listeners.updates import SKIP, show_sentence, show_start
from demo.ui.session import Sessions
from demo.ui.view.links import PromptLink, read_link, write_link
from demo.ui.view.options import ControlValue, GenerationOptions
from demo.ui.view.tables import list_example, list_saved
from demo.ui.view.turn import Question
from demo.ui.view.words import CONSTANTS

# Of many prompts and seeds, the one whose thousandth token still belongs to the story.
EXAMPLE: Final = CONSTANTS["example"]
FROM_LINK: Final = "This run comes from the link: it was not made by this server."
UNPACKED: Final = 1000  # characters that one of a link's may be unpacked to
EXAMPLE_SAMPLING: Final = Sampling(**EXAMPLE["sampling"])


@dataclass(frozen=True, slots=True, eq=False)
class LessonListeners:
    """The functions behind the lesson's components, each for the session that calls it."""

    engine: Engine
    page: Layout
    sessions: Sessions

    async def start_example(self, request: gr.Request, length: float, pace: float) -> Updates:
        """The documentation's example in the two panels: so many tokens at such a rate, whatever the controls say."""
        session = self.sessions.of(request)
        example = read_example(length, pace)
        try:
            await session.start(self.engine, Question(EXAMPLE["question"], "example", options=example), example)
        except DemoError as error:
            return show_sentence(self.page, session, str(error))
        table = {self.page.lesson.example: write_json(list_example(example, session.runs, None))}
        return {**show_start(self.page, session), **table}

    def predict(self, request: gr.Request, length: float, pace: float) -> Updates:
        """The prediction for the example's length and speed."""
        runs = self.sessions.of(request).runs
        return {self.page.lesson.example: write_json(list_example(read_example(length, pace), runs, None))}

    def price_saving(self, request: gr.Request, price: float) -> Updates:
        """What the last run's early stop saved, at this price."""
        runs = self.sessions.of(request).runs
        return {self.page.lesson.saved: write_json(list_saved(runs, price))}

    def share(self, inputs: Sequence[ControlValue]) -> Updates:
        """The fragment of a link that restores this prompt and these settings."""
        return {self.page.lesson.link: {"fragment": write_link(PromptLink(str(inputs[0]), inputs[2:]))}}

    async def open_link(self, request: gr.Request, fragment: str) -> Updates:
        """What the address's fragment holds: a prompt with its settings, or a recorded run, which starts at once."""
        session = self.sessions.of(request)
        try:
            link = await run_beside(UNPACKED * len(fragment), partial(read_link, fragment))
            if isinstance(link, Trace):
                question = Question(link.question, "recording", link, from_link=True)
                await session.start(self.engine, question, GenerationOptions())
                return show_start(self.page, session, FROM_LINK)
        except DemoError as error:
            return show_sentence(self.page, session, str(error))
        if link is None:
            return SKIP
        session.has_chosen_speed = True
        return {self.page.prompt: link.prompt, **dict(zip(self.page.controls.values(), link.values, strict=True))}


def read_example(length: float, pace: float) -> GenerationOptions:
    """The example's options: its length and pace are set by the page, its sampling is always the same."""
    return GenerationOptions(int(length), EXAMPLE_SAMPLING, pace or None)
