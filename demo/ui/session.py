"""Session: one browser tab's conversation and runs; and the registry of open sessions, which share nothing."""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from demo.address import read_address
from demo.client_key import make_client_key
from demo.engine import Engine, Ready
from demo.engines.replay import Replay
from demo.errors import BadRequest
from demo.prompt_threads import measure_prompt, run_beside
from demo.request import Message, Request
from demo.trace import Trace, retrace_run, trace_run
from demo.ui.race import UPDATE_SECONDS, Race
from demo.ui.view.options import GenerationOptions
from demo.ui.view.turn import Question, Turn, join_begun, join_messages
from demo.ui.view.words import ARRIVALS, SIDES, Side, describe_pace, describe_recording

MAX_RUNS: Final = 100  # that a session keeps for its charts and tables
MAX_RUN_TOKENS: Final = 50_000  # of these together: 20 MB
HIDDEN_UPDATE_SECONDS = 1.0  # seconds between two updates of a tab that another tab hides
MAX_UPDATES_PER_SECOND = 40  # a second, of all tabs together: each takes the server some 2 ms


class Session:
    """One tab: its conversation, its last runs, and the race under way, if any. `client` is its key."""

    def __init__(self, client: str | None = None) -> None:
        self.client = client
        self.turns: list[Turn] = []  # the conversation
        self.runs: deque[Turn] = deque(maxlen=MAX_RUNS)  # every run, of this conversation or an earlier one
        self.race: Race | None = None
        self.question = Question("")  # the last one
        self.sentences = 0  # shown so far
        self.hidden = False  # behind another tab
        self.closed = False  # its tab is gone
        self.has_chosen_speed = False  # by hand or by a link
        self._before: tuple[Race | None, Question, list[Turn]] = (None, self.question, self.turns)  # the last race
        self._recorded: Race | None = None
        self._starting = False  # while a question is encoded
        self._stopped = False  # meanwhile

    @property
    def racing(self) -> bool:
        """Whether an answer is still being generated or read."""
        return self.race is not None and not self.race.ended.is_set()

    def check(self, question: str) -> None:
        """Raise BadRequest where no race could start with any engine."""
        if self.closed:
            raise BadRequest("This tab was closed: reload the page.")
        if self.racing or self._starting:
            raise BadRequest("The answer is still being written: wait for it, or press Stop first.")
        if not question.strip():
            raise BadRequest("The prompt is empty: type something first.")
        self.record()

    # Way 5: The session keeps the race and the turns before it
    async def start(
        self, engine: Engine, question: Question, options: GenerationOptions, replaced: int | None = 0
    ) -> None:
        """Start a race for `question`, in place of the last `replaced` turns; None are all.

        A long conversation is encoded in a thread; what is stopped meanwhile ends at once. Raises BadRequest,
        Overloaded or NotReady, and then changes nothing.
        """
        self.check(question.text)
        kept = [] if replaced is None else self.turns[: max(len(self.turns) - replaced, 0)]
        is_asked = question.kind in ("turn", "rest")  # with the conversation
        size = len(question.text) + measure_prompt(join_messages(kept)) if is_asked else 0
        self._starting, self._stopped = True, False
        try:
            make = partial(self._make, engine, question, kept, options)
            race = await run_beside(size, make, lambda race: race.run.cancel())
        finally:
            self._starting = False
        self._before = (self.race, self.question, self.turns)
        self.race, self.question, self.turns = race, question, kept
        if self._stopped or self.closed:
            self.stop()

    def withdraw(self) -> None:
        """Take back the race that was started last, which was refused before its first token."""
        self.race, self.question, self.turns = self._before

    def _make(self, engine: Engine, question: Question, turns: Sequence[Turn], options: GenerationOptions) -> Race:
        if question.recording is not None:
            return make_replay(question.recording, options.pace, question.from_link)
        return self._make_race(engine, question, turns, question.options or options)

    # Way 6: The conversation and the prompt become a request
    def _make_race(self, engine: Engine, question: Question, turns: Sequence[Turn], options: GenerationOptions) -> Race:
        join = join_begun if question.kind == "rest" else join_messages
        messages = () if question.kind == "example" else join(turns)
        if question.kind != "rest":
            messages += (Message("user", question.text),)
        elif not messages:
            raise BadRequest("There is no answer to continue: press Generate first.")
        card = status.card if isinstance(status := engine.status, Ready) else None
        request = Request(
            messages if card is None or card.has_chat_template else "".join(each.content for each in messages),
            min(options.max_new_tokens, (card and card.max_new_tokens) or options.max_new_tokens),
            options.sampling,
            ignore_eos=question.kind == "example",
            pace=options.pace,
            client=self.client,
            ends_loops=question.kind != "example",
        )
        elsewhere = ARRIVALS if card is not None and card.source == "endpoint" else ""
        label = ", ".join(filter(None, (describe_pace(options.pace, card.rate if card else None), elsewhere)))
        return Race(engine, request, label, lambda run: trace_run(run, card) if card else None)

    def record(self) -> bool:
        """Add the race that has ended to the conversation and the runs, once; returns whether there was one to add."""
        race = self.race
        if race is None or race is self._recorded or not race.ended.is_set():
            return False
        self._recorded = race
        turn = Turn(self.question, *race.last_views, race.trace, self.runs[-1].number + 1 if self.runs else 1)
        self.turns.append(turn)
        self.runs.append(turn)
        while len(self.runs) > 1 and sum(each.tokens for each in self.runs) > MAX_RUN_TOKENS:
            self.runs.popleft()
        return True

    def reset(self) -> None:
        """Forget the conversation and the runs. For when no race is under way."""
        self.turns.clear()
        self.runs.clear()
        self.question = Question("")
        self.race = self._recorded = None

    def follow(self, listener: str) -> Race | None:
        """The race under way, for the first call of `listener`; None for any other."""
        return self.race if self.race is not None and self.race.follow(listener) else None

    def stop(self, *sides: Side) -> None:
        """Stop these sides of the race under way, if any; both by default, and with them the work."""
        self._stopped = self._stopped or not sides
        if self.race is not None:
            self.race.detach(*(sides or SIDES))


def make_replay(trace: Trace, pace: float | None, from_link: bool = False) -> Race:
    """A race of a recorded run, as it was or slowed to `pace` tokens/s."""
    request = trace.request if pace is None else replace(trace.request, pace=pace)
    label = describe_recording(replace(trace, request=request), from_link)
    same = request == trace.request
    return Race(Replay((trace,)), request, label, lambda run: trace if same else retrace_run(trace, run))


class Sessions:
    """The open sessions, one for each tab, by the name that Gradio gives it."""

    def __init__(self) -> None:
        self._open: dict[str, Session] = {}

    def find(self, session_hash: str | None, address: str = "") -> Session:
        """The session of `session_hash`, which is opened if it is new, for a client at `address`."""
        name = session_hash or ""
        if name not in self._open:
            self._open[name] = Session(make_client_key(address, "session", name))
        return self._open[name]

    def of(self, request: Any) -> Session:
        """The session of a listener's request, a `gradio.Request`."""
        return self.find(request.session_hash, read_address(request))

    def choose_interval(self, session: Session) -> float:
        """Seconds between two updates of the growing text in `session`."""
        racing = sum(each.racing for each in self._open.values())
        return HIDDEN_UPDATE_SECONDS if session.hidden else max(UPDATE_SECONDS, racing / MAX_UPDATES_PER_SECOND)

    def close(self, session_hash: str | None) -> None:
        """Forget a session whose tab was closed, and stop its race."""
        session = self._open.pop(session_hash or "", None)
        if session is not None:
            session.closed = True
            session.stop()

    def __len__(self) -> int:
        return len(self._open)
