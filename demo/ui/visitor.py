"""Visitor: one open tab's conversation and runs; the registry of those that are here. Nothing is shared."""

import asyncio
from dataclasses import dataclass

from demo.errors import BadRequest
from demo.events import Engine, Message, Request, Sampling
from demo.ui.panes import PaneView, read_answer
from demo.ui.race import Race
from demo.ui.words import Side


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and what each side showed as its answer."""

    question: str
    streamed: PaneView
    whole: PaneView

    @property
    def messages(self) -> tuple[Message, ...]:
        """The turn as the model reads it; nothing where there is no answer to go on from."""
        answer = read_answer((self.streamed, self.whole))
        failed = "failed" in (self.streamed.phase, self.whole.phase)
        if failed or not answer:
            return ()
        return (Message("user", self.question), Message("assistant", answer))


class Visitor:
    """One tab: its turns so far, every finished run, and the race under way, if any."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.runs: list[Turn] = []
        self.question = ""
        self.race: Race | None = None
        self.attempts = 0
        self.gone = asyncio.Event()
        self._settled: Race | None = None

    @property
    def racing(self) -> bool:
        """Whether an answer is still being written or read."""
        return self.race is not None and not self.race.over.is_set()

    def begin(self, engine: Engine, question: str, max_new_tokens: int, sampling: Sampling) -> Race:
        """Start a race for the next turn. Raises BadRequest, Overloaded or NotReady, and then changes nothing."""
        if self.racing:
            raise BadRequest("The answer is still being written: wait for it, or press Stop first.")
        if not question.strip():
            raise BadRequest("The prompt is empty: type something first.")
        self.settle()
        past = tuple(message for turn in self.turns for message in turn.messages)
        prompt = (*past, Message("user", question))
        self.race = Race(engine, Request(prompt, max_new_tokens, sampling))
        self.question = question
        return self.race

    def settle(self) -> bool:
        """Record the race that is over: once. Whether there was one to record."""
        race = self.race
        if race is None or race is self._settled or not race.over.is_set():
            return False
        self._settled = race
        turn = Turn(self.question, *race.settle())
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
        self.turns, self.runs, self.question = [], [], ""
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

    def drop(self, session: str | None) -> None:
        """Forget who has gone, and stop what was being written for them."""
        visitor = self._here.pop(session or "", None)
        if visitor is not None:
            visitor.leave_all()
            visitor.gone.set()

    def __len__(self) -> int:
        return len(self._here)
