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
        view = self._longer
        failed = "failed" in (self.streamed.phase, self.whole.phase)
        if failed or not view.text or self.question.kind not in ("turn", "rest"):
            return ()
        asked = (Message("user", self.question.text),) if self.question.kind == "turn" else ()
        return (*asked, Message("assistant", view.join("answer"), view.join("reasoning") or None))

    @property
    def tokens(self) -> int:
        """How many tokens its readers have received, each of which is kept with its times."""
        return max(self.streamed.tokens or 0, self.whole.tokens or 0)

    @property
    def written(self) -> str:
        """The answer as the model wrote it, the marks of its reasoning included."""
        return self._longer.text

    @property
    def _longer(self) -> PaneView:
        return max(self.streamed, self.whole, key=lambda view: len(view.text))


def join_messages(turns: Sequence[Turn]) -> tuple[Message, ...]:
    """The conversation of `turns`: an answer and its rest are one message."""
    messages: list[Message] = []
    for message in (message for turn in turns for message in turn.messages):
        if message.role == "assistant" and messages and messages[-1].role == "assistant":
            message = _join_answers(messages.pop(), message)
        messages.append(message)
    return tuple(messages)


def join_begun(turns: Sequence[Turn]) -> tuple[Message, ...]:
    """The conversation of `turns`, whose last answer is to be continued where the model stopped writing."""
    messages = join_messages(turns)
    if not messages:
        return ()
    begun = next((at for at in range(len(turns) - 1, -1, -1) if turns[at].question.kind != "rest"), 0)
    text = "".join(turn.written for turn in turns[begun:] if turn.messages)
    return (*messages[:-1], Message("assistant", text))


def _join_answers(answer: Message, rest: Message) -> Message:
    reasoning = "".join(filter(None, (answer.reasoning, rest.reasoning)))
    return Message("assistant", answer.content + rest.content, reasoning or None)
