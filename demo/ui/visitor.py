"""Visitor: one open tab's conversation and runs; the registry of those that are here. Nothing is shared."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from demo.errors import BadRequest
from demo.events import Engine, Message, Ready, Request
from demo.replay import Replay
from demo.trace import Trace, trace_run
from demo.ui.dials import Manner
from demo.ui.panes import PaneView, read_answer
from demo.ui.race import BEAT, Race
from demo.ui.words import Side, say_recorded

# Seconds between two updates, where these are not shown at race.py's BEAT.
SHARED_BEAT = 0.25  # the browser is on the model's own cores: each update takes time from the model
UNSEEN_BEAT = 1.0  # another tab is in front
MOST_UPDATES = 40  # a second, of all tabs together: each takes the server some 2 ms


@dataclass(frozen=True, slots=True)
class Asked:
    """What a race is about: a turn of the conversation, a text that is gone on with, or a recording played again."""

    question: str
    kind: Literal["turn", "text", "recording"]
    recording: Trace | None = None


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
        """The turn as the model reads it; nothing where there is no answer to go on from."""
        answer = read_answer((self.streamed, self.whole))
        failed = "failed" in (self.streamed.phase, self.whole.phase)
        if failed or not answer or self.asked.kind != "turn":
            return ()
        return (Message("user", self.question), Message("assistant", answer))


class Visitor:
    """One tab: its turns so far, every finished run, and the race under way, if any."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.runs: list[Turn] = []
        self.race: Race | None = None
        self.example: Example | None = None
        self._asked = Asked("", "turn")
        self.beat = BEAT
        self._trace: Callable[[], Trace | None] = lambda: None
        self.attempts = 0
        self.near = False  # its browser is on this machine
        self.away = False  # nobody sees it: another tab is in front
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
        past = tuple(message for turn in self.turns for message in turn.messages)
        request = Request((*past, Message("user", question)), manner.max_new_tokens, manner.sampling, pace=manner.pace)
        self._start(engine, request, Asked(question, "turn"))

    def go_on(self, engine: Engine, text: str, manner: Manner) -> None:
        """Start a race for `text` alone, answered for exactly as long as asked. Raises as `begin`."""
        self.check(text)
        message = Message("user", text)
        request = Request((message,), manner.max_new_tokens, manner.sampling, ignore_eos=True, pace=manner.pace)
        self._start(engine, request, Asked(text, "text"))

    def replay(self, trace: Trace) -> None:
        """Start a race of a recorded run. Raises as `begin`."""
        self.check(trace.question)
        self.race = Race(Replay((trace,)), trace.request, say_recorded(trace))
        self._asked = Asked(trace.question, "recording", trace)
        self._trace = lambda: trace
        self.beat = BEAT

    def begin_again(self, engine: Engine, asked: Asked, manner: Manner) -> None:
        """Start a race for what was asked before. Raises as `begin`."""
        if asked.recording is not None:
            self.replay(asked.recording)
        elif asked.kind == "text":
            self.go_on(engine, asked.question, manner)
        else:
            self.begin(engine, asked.question, manner)

    def check(self, question: str) -> None:
        """Raise BadRequest where nothing could be begun, whatever answers."""
        if self.racing:
            raise BadRequest("The answer is still being written: wait for it, or press Stop first.")
        if not question.strip():
            raise BadRequest("The prompt is empty: type something first.")
        self.settle()

    def _start(self, engine: Engine, request: Request, asked: Asked) -> None:
        status, pace = engine.status, request.pace
        label = f"slowed to {pace:g} tokens/s" if pace else ""
        race = Race(engine, request, label)
        self.race, self._asked = race, asked
        shared = self.near and pace is None and isinstance(status, Ready) and status.card.device == "cpu"
        self.beat = SHARED_BEAT if shared else BEAT
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

    def take_back(self) -> Turn | None:
        """Take the last turn back, to be asked again: None when there is none."""
        self.settle()
        return self.turns.pop() if self.turns else None

    def put_back(self, turn: Turn | None) -> None:
        """Undo `take_back`."""
        if turn is not None:
            self.turns.append(turn)

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


class Visitors:
    """Who is here: one Visitor for each tab's session."""

    def __init__(self) -> None:
        self._here: dict[str, Visitor] = {}

    def find(self, session: str | None) -> Visitor:
        """The visitor of `session`, new when it has not been here."""
        return self._here.setdefault(session or "", Visitor())

    def choose_beat(self, visitor: Visitor) -> float:
        """Seconds between two updates of the text that `visitor` sees grow."""
        racing = sum(each.racing for each in self._here.values())
        return UNSEEN_BEAT if visitor.away else max(visitor.beat, racing / MOST_UPDATES)

    def drop(self, session: str | None) -> None:
        """Forget who has gone, and stop what was being written for them."""
        visitor = self._here.pop(session or "", None)
        if visitor is not None:
            visitor.leave_all()
            visitor.gone.set()

    def __len__(self) -> int:
        return len(self._here)
