"""Visitor: one open tab's conversation and runs; the registry of those that are here. Nothing is shared."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from demo.client_key import make_client_key
from demo.engines.replay import Replay
from demo.errors import BadRequest
from demo.events import Engine, Message, Ready, Request, Status
from demo.trace import Trace, retrace_run, trace_run
from demo.ui.race import UPDATE_SECONDS, Race
from demo.ui.view.options import GenerationOptions
from demo.ui.view.turn import Example, Question, Turn, join_messages
from demo.ui.view.words import Side, describe_recording

HIDDEN_UPDATE_SECONDS = 1.0  # seconds between two updates while another tab is in front
MAX_UPDATES_PER_SECOND = 40  # a second, of all tabs together: each takes the server some 2 ms


class Session:
    """One tab: its turns so far, every finished run, and the race under way, if any. `client` is its key."""

    def __init__(self, client: str | None = None) -> None:
        self.client = client
        self.turns: list[Turn] = []
        self.runs: list[Turn] = []
        self.race: Race | None = None
        self.example: Example | None = None
        self._asked = Question("", "turn")
        self._trace: Callable[[], Trace | None] = lambda: None
        self.attempts = 0
        self.away = False  # nobody sees it: another tab is in front
        self.has_chosen_speed = False  # a speed, by hand or by a link
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

    # Way 5: The session keeps the race and the turns before it
    def begin(self, engine: Engine, question: str, options: GenerationOptions) -> None:
        """Start a race for the next turn. Raises BadRequest, Overloaded or NotReady, and then changes nothing."""
        self.check(question)
        messages = (*join_messages(self.turns), Message("user", question))
        self._start(engine, self._request(messages, options), Question(question, "turn"))

    def complete(self, engine: Engine, options: GenerationOptions) -> None:
        """Start a race for the rest of the last answer. Raises as `begin`."""
        self.check(self.question)
        messages = join_messages(self.turns)
        if not messages:
            raise BadRequest("There is no answer to continue: press Generate first.")
        self._start(engine, self._request(messages, options), Question(self.question, "rest"))

    def begin_example(self, engine: Engine, question: str, options: GenerationOptions) -> None:
        """Start a race for `question` alone, answered for exactly as long as asked. Raises as `begin`."""
        self.check(question)
        request = replace(self._request((Message("user", question),), options), ignore_eos=True)
        self._start(engine, request, Question(question, "example", options=options))

    def replay(self, trace: Trace, pace: float | None = None) -> None:
        """Start a race of a recorded run, as it was or slowed to `pace` tokens/s. Raises as `begin`."""
        self.check(trace.question)
        request = trace.request if pace is None else replace(trace.request, pace=pace)
        race = Race(Replay((trace,)), request, describe_recording(replace(trace, request=request)))
        self.race, self._asked = race, Question(trace.question, "recording", trace)
        self._trace = lambda: trace if request == trace.request else retrace_run(trace, race.run)

    def begin_again(self, engine: Engine, asked: Question, options: GenerationOptions) -> None:
        """Start a race for what was asked before. Raises as `begin`."""
        if asked.recording is not None:
            self.replay(asked.recording, options.pace)
        elif asked.kind == "example":
            self.begin_example(engine, asked.question, asked.options or options)
        elif asked.kind == "rest":
            self.complete(engine, options)
        else:
            self.begin(engine, asked.question, options)

    def check(self, question: str) -> None:
        """Raise BadRequest where nothing could be begun, whatever answers."""
        if self.racing:
            raise BadRequest("The answer is still being written: wait for it, or press Stop first.")
        if not question.strip():
            raise BadRequest("The prompt is empty: type something first.")
        self.settle()

    def _request(self, messages: tuple[Message, ...], options: GenerationOptions) -> Request:
        return Request(messages, options.max_new_tokens, options.sampling, pace=options.pace, client=self.client)

    # Way 6: The conversation and the prompt become a request
    def _start(self, engine: Engine, request: Request, asked: Question) -> None:
        status = engine.status
        race = Race(engine, request, describe_pace(request.pace, status))
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

    def remove_turns(self, count: int | None = None) -> list[Turn]:
        """Take the last `count` turns out of the conversation; all of them by default."""
        self.settle()
        kept = 0 if count is None else max(len(self.turns) - count, 0)
        self.turns, taken = self.turns[:kept], self.turns[kept:]
        return taken

    def restore_turns(self, turns: Sequence[Turn]) -> None:
        """Undo `remove_turns`."""
        self.turns.extend(turns)

    def reset(self) -> None:
        """Forget the conversation and the runs. For when no race is under way."""
        self.turns, self.runs, self._asked = [], [], Question("", "turn")
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


def describe_pace(pace: float | None, status: Status) -> str:
    """What the panes say of a run's speed; nothing of real speed."""
    if pace is None:
        return ""
    rate = status.card.rate if isinstance(status, Ready) else None
    slower = rate is not None and rate < pace
    return f"real speed: slower here than {pace:g} tokens/s" if slower else f"slowed to {pace:g} tokens/s"


class Sessions:
    """Who is here: one Visitor for each tab's session."""

    def __init__(self) -> None:
        self._here: dict[str, Session] = {}

    def find(self, session_hash: str | None) -> Session:
        """The visitor of `session_hash`, new when it has not been here."""
        name = session_hash or ""
        if name not in self._here:
            self._here[name] = Session(make_client_key("session", name))
        return self._here[name]

    def choose_interval(self, session: Session) -> float:
        """Seconds between two updates of the text that `session` sees grow."""
        racing = sum(each.racing for each in self._here.values())
        return HIDDEN_UPDATE_SECONDS if session.away else max(UPDATE_SECONDS, racing / MAX_UPDATES_PER_SECOND)

    def drop(self, session_hash: str | None) -> None:
        """Forget who has gone, and stop what was being written for them."""
        session = self._here.pop(session_hash or "", None)
        if session is not None:
            session.leave_all()
            session.gone.set()

    def __len__(self) -> int:
        return len(self._here)
