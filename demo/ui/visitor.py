"""Visitor: one open tab's conversation and runs; the registry of those that are here. Nothing is shared."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from demo.client import make_client_key
from demo.errors import BadRequest
from demo.events import Engine, Message, Ready, Request, Status
from demo.replay import Replay
from demo.trace import Trace, retrace_run, trace_run
from demo.ui.dials import Manner
from demo.ui.panes import PaneView, read_answer
from demo.ui.race import BEAT, Race
from demo.ui.words import Side, say_recorded

UNSEEN_BEAT = 1.0  # seconds between two updates while another tab is in front
MOST_UPDATES = 40  # a second, of all tabs together: each takes the server some 2 ms


@dataclass(frozen=True, slots=True)
class Asked:
    """What a race is about: a turn, the rest of the last turn's answer, the documentation's example, or a recording.

    The example has a manner of its own, whatever the dials say.
    """

    question: str
    kind: Literal["turn", "rest", "example", "recording"]
    recording: Trace | None = None
    manner: Manner | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """The documentation's example: so many tokens at so many a second; `pace` None is as fast as the machine can."""

    tokens: int
    pace: float | None


@dataclass(frozen=True, slots=True)
class Turn:
    """What was asked and what each side showed as its answer. `trace` is the run behind both, if it came to its end."""

    asked: Asked
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


class Visitor:
    """One tab: its turns so far, every finished run, and the race under way, if any. `client` is its key."""

    def __init__(self, client: str | None = None) -> None:
        self.client = client
        self.turns: list[Turn] = []
        self.runs: list[Turn] = []
        self.race: Race | None = None
        self.example: Example | None = None
        self._asked = Asked("", "turn")
        self._trace: Callable[[], Trace | None] = lambda: None
        self.attempts = 0
        self.away = False  # nobody sees it: another tab is in front
        self.has_chosen = False  # a speed, by hand or by a link
        self.gone = asyncio.Event()
        self._settled: Race | None = None

    @property
    def racing(self) -> bool:
        """Whether an answer is still being written or read."""
        return self.race is not None and not self.race.over.is_set()

    @property
    def question(self) -> str:
        """What was asked last."""
        return self._asked.question

    def begin(self, engine: Engine, question: str, manner: Manner) -> None:
        """Start a race for the next turn. Raises BadRequest, Overloaded or NotReady, and then changes nothing."""
        self.check(question)
        messages = (*join_messages(self.turns), Message("user", question))
        self._start(engine, self._request(messages, manner), Asked(question, "turn"))

    def complete(self, engine: Engine, manner: Manner) -> None:
        """Start a race for the rest of the last answer. Raises as `begin`."""
        self.check(self.question)
        messages = join_messages(self.turns)
        if not messages:
            raise BadRequest("There is no answer to continue: press Generate first.")
        self._start(engine, self._request(messages, manner), Asked(self.question, "rest"))

    def begin_example(self, engine: Engine, question: str, manner: Manner) -> None:
        """Start a race for `question` alone, answered for exactly as long as asked. Raises as `begin`."""
        self.check(question)
        request = replace(self._request((Message("user", question),), manner), ignore_eos=True)
        self._start(engine, request, Asked(question, "example", manner=manner))

    def replay(self, trace: Trace, pace: float | None = None) -> None:
        """Start a race of a recorded run, as it was or slowed to `pace` tokens/s. Raises as `begin`."""
        self.check(trace.question)
        request = trace.request if pace is None else replace(trace.request, pace=pace)
        race = Race(Replay((trace,)), request, say_recorded(replace(trace, request=request)))
        self.race, self._asked = race, Asked(trace.question, "recording", trace)
        self._trace = lambda: trace if request == trace.request else retrace_run(trace, race.run)

    def begin_again(self, engine: Engine, asked: Asked, manner: Manner) -> None:
        """Start a race for what was asked before. Raises as `begin`."""
        if asked.recording is not None:
            self.replay(asked.recording, manner.pace)
        elif asked.kind == "example":
            self.begin_example(engine, asked.question, asked.manner or manner)
        elif asked.kind == "rest":
            self.complete(engine, manner)
        else:
            self.begin(engine, asked.question, manner)

    def check(self, question: str) -> None:
        """Raise BadRequest where nothing could be begun, whatever answers."""
        if self.racing:
            raise BadRequest("The answer is still being written: wait for it, or press Stop first.")
        if not question.strip():
            raise BadRequest("The prompt is empty: type something first.")
        self.settle()

    def _request(self, messages: tuple[Message, ...], manner: Manner) -> Request:
        return Request(messages, manner.max_new_tokens, manner.sampling, pace=manner.pace, client=self.client)

    def _start(self, engine: Engine, request: Request, asked: Asked) -> None:
        status = engine.status
        race = Race(engine, request, say_slowed(request.pace, status))
        self.race, self._asked = race, asked
        self._trace = lambda: trace_run(race.run, status.card) if isinstance(status, Ready) else None

    def settle(self) -> bool:
        """Record the race that is over: once. Whether there was one to record."""
        race = self.race
        if race is None or race is self._settled or not race.over.is_set():
            return False
        self._settled = race
        turn = Turn(self._asked, *race.settle(), self._trace())
        self.turns.append(turn)
        self.runs.append(turn)
        return True

    def take_back(self, count: int | None = None) -> list[Turn]:
        """Take the last `count` turns out of the conversation; all of them by default."""
        self.settle()
        kept = 0 if count is None else max(len(self.turns) - count, 0)
        self.turns, taken = self.turns[:kept], self.turns[kept:]
        return taken

    def put_back(self, turns: Sequence[Turn]) -> None:
        """Undo `take_back`."""
        self.turns.extend(turns)

    def start_over(self) -> None:
        """Forget the conversation and the runs. For when no race is under way."""
        self.turns, self.runs, self._asked = [], [], Asked("", "turn")
        self.race = self._settled = None

    def claim(self, role: str) -> Race | None:
        """The race under way for the one listener that plays `role`; None for any other."""
        return self.race if self.race is not None and self.race.claim(role) else None

    def leave(self, side: Side) -> None:
        """Stop one side of the race under way, if any."""
        if self.race is not None:
            self.race.leave(side)

    def leave_all(self) -> None:
        """Stop both sides, and with them the work."""
        if self.race is not None:
            self.race.leave_all()


def say_slowed(pace: float | None, status: Status) -> str:
    """What the panes say of a run's speed; nothing of real speed."""
    if pace is None:
        return ""
    rate = status.card.rate if isinstance(status, Ready) else None
    slower = rate is not None and rate < pace
    return f"real speed: slower here than {pace:g} tokens/s" if slower else f"slowed to {pace:g} tokens/s"


class Visitors:
    """Who is here: one Visitor for each tab's session."""

    def __init__(self) -> None:
        self._here: dict[str, Visitor] = {}

    def find(self, session: str | None) -> Visitor:
        """The visitor of `session`, new when it has not been here."""
        name = session or ""
        if name not in self._here:
            self._here[name] = Visitor(make_client_key("session", name))
        return self._here[name]

    def choose_beat(self, visitor: Visitor) -> float:
        """Seconds between two updates of the text that `visitor` sees grow."""
        racing = sum(each.racing for each in self._here.values())
        return UNSEEN_BEAT if visitor.away else max(BEAT, racing / MOST_UPDATES)

    def drop(self, session: str | None) -> None:
        """Forget who has gone, and stop what was being written for them."""
        visitor = self._here.pop(session or "", None)
        if visitor is not None:
            visitor.leave_all()
            visitor.gone.set()

    def __len__(self) -> int:
        return len(self._here)
