"""A turn: what a race was about, and what each side showed of its answer. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from demo.events import Message
from demo.trace import Trace
from demo.ui.view.options import GenerationOptions
from demo.ui.view.panes import PaneView, read_answer


@dataclass(frozen=True, slots=True)
class Question:
    """What a race is about: a turn, the rest of the last turn's answer, the documentation's example, or a recording.

    The example has a manner of its own, whatever the dials say.
    """

    question: str
    kind: Literal["turn", "rest", "example", "recording"]
    recording: Trace | None = None
    options: GenerationOptions | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """The documentation's example: so many tokens at so many a second; `pace` None is as fast as the machine can."""

    tokens: int
    pace: float | None


@dataclass(frozen=True, slots=True)
class Turn:
    """What was asked and what each side showed as its answer. `trace` is the run behind both, if it came to its end."""

    asked: Question
    streamed: PaneView
    whole: PaneView
    trace: Trace | None = None

    @property
    def question(self) -> str:
        """What a person typed."""
        return self.asked.question

    @property
    def messages(self) -> tuple[Message, ...]:
        """The turn as the model reads it; nothing where there is no answer to continue from."""
        answer = read_answer((self.streamed, self.whole))
        failed = "failed" in (self.streamed.phase, self.whole.phase)
        if failed or not answer or self.asked.kind not in ("turn", "rest"):
            return ()
        asked = (Message("user", self.question),) if self.asked.kind == "turn" else ()
        return (*asked, Message("assistant", answer))


def join_messages(turns: Sequence[Turn]) -> tuple[Message, ...]:
    """The conversation of `turns`: an answer and its rest are one message."""
    messages: list[Message] = []
    for message in (message for turn in turns for message in turn.messages):
        if message.role == "assistant" and messages and messages[-1].role == "assistant":
            message = Message("assistant", messages.pop().content + message.content)
        messages.append(message)
    return tuple(messages)
