"""A turn: a question, and what each side showed of its answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from demo.request import Message
from demo.trace import Trace
from demo.ui.view.options import GenerationOptions
from demo.ui.view.panes import PaneView


@dataclass(frozen=True, slots=True)
class Question:
    """What a race answers: a new turn, the rest of the last answer, the documentation's example, or a recording.

    The example has `options` of its own, whatever the controls say: its length, its sampling and its pace.
    """

    text: str
    kind: Literal["turn", "rest", "example", "recording"] = "turn"
    recording: Trace | None = None
    options: GenerationOptions | None = None
    from_link: bool = False  # the recording came with a link: anybody may have written it


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and each side's last view. `trace` is their run, if completed; `number` counts the tab's runs."""

    question: Question
    streamed: PaneView
    whole: PaneView
    trace: Trace | None = None
    number: int = 1

    @property
    def messages(self) -> tuple[Message, ...]:
        """The turn as the model reads it; none where there is no answer to continue from."""
        answer = max(self.streamed.text, self.whole.text, key=len)
        failed = "failed" in (self.streamed.phase, self.whole.phase)
        if failed or not answer or self.question.kind not in ("turn", "rest"):
            return ()
        asked = (Message("user", self.question.text),) if self.question.kind == "turn" else ()
        return (*asked, Message("assistant", answer))


def join_messages(turns: Sequence[Turn]) -> tuple[Message, ...]:
    """The conversation of `turns`: an answer and its rest are one message."""
    messages: list[Message] = []
    for message in (message for turn in turns for message in turn.messages):
        if message.role == "assistant" and messages and messages[-1].role == "assistant":
            message = Message("assistant", messages.pop().content + message.content)
        messages.append(message)
    return tuple(messages)
