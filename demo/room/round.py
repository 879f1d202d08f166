"""A round as a state machine: what is asked in which phase, which arm each phone gets, and what was answered.

Knows no run and no HTTP.
"""

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from typing_extensions import TypedDict

from demo.api.dialects.errors import Refused
from demo.api.openapi.room_replies import Kind, Phase, RoundState
from demo.room.phone import ARMS, Arm

Draw: TypeAlias = Literal["random", "streamed", "whole"]
Asked: TypeAlias = Literal["prediction", "felt"]
# How each kind goes on from the end of its run.
AFTER_RUN: Final[dict[Kind, Phase]] = {"race": "guessing", "predict": "guessing", "stop": "ended", "crowd": "ended"}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a round is to be. `limit` is the number of requests answered at once, where all phones ask."""

    kind: Kind
    prompt: str
    recorded: bool
    max_new_tokens: int
    tokens_per_second: float | None = None
    draw: Draw = "random"
    limit: int | None = None


@dataclass(slots=True)
class Outcome:
    """The run of a round, so far. Times in seconds since it was asked for, by the engine's clock."""

    tokens: int = 0
    ttft: float | None = None
    seconds: float | None = None
    finish: str | None = None
    error: str | None = None


@dataclass(slots=True)
class Requests:
    """What became of one phone's requests, where all phones ask. Times in seconds since the round began."""

    sent: int = 0
    refused: int = 0
    first_token: float | None = None
    served: float | None = None


@dataclass(slots=True)
class Answers:
    """What one phone answered in a round: seconds."""

    first: float | None = None
    last: float | None = None
    felt: float | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """When a phone stopped, in seconds since the run was asked for, and the tokens that it had then."""

    tokens: int
    seconds: float


class Savings(TypedDict):
    """Of all phones that stopped. `at_least`: the run was cancelled since nobody read it any more."""

    stopped: int
    tokens_saved: int
    seconds_saved: float
    at_least: bool


class ArmDraw:
    """The draw of one round: the smaller arm first, a coin where they are equal; or one arm for all.

    Of each two phones that are drawn one after the other, one gets each arm (permuted blocks of two).
    """

    def __init__(self, draw: Draw, source: random.Random | None = None) -> None:
        self._draw = draw
        self._random = source or random.SystemRandom()
        self._counts: Counter[Arm] = Counter()

    def next(self) -> Arm:
        arm = self._choose()
        self._counts[arm] += 1
        return arm

    def count(self) -> dict[Arm, int]:
        return {arm: self._counts[arm] for arm in ARMS}

    def _choose(self) -> Arm:
        if self._draw != "random":
            return self._draw
        streamed, whole = (self._counts[arm] for arm in ARMS)
        if streamed == whole:
            return self._random.choice(ARMS)
        return "streamed" if streamed < whole else "whole"


@dataclass(eq=False)
class Round:
    """Round `number` of a room. Phones are known by their numbers."""

    number: int
    plan: Plan
    outcome: Outcome = field(default_factory=Outcome)
    answers: dict[int, Answers] = field(default_factory=dict)
    requests: dict[int, Requests] = field(default_factory=dict)
    arms: dict[int, Arm] = field(default_factory=dict)
    stops: dict[int, Stop] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.phase: Phase = "predicting" if self.plan.kind == "predict" else "running"
        self._draw = ArmDraw("streamed" if self.plan.kind == "stop" else self.plan.draw)

    @property
    def has_arms(self) -> bool:
        """Whether its phones receive one run, each in its arm."""
        return self.plan.kind != "crowd"

    def has_part_of(self, phone: int) -> bool:
        """Whether the results tell of it."""
        return any(phone in told for told in (self.answers, self.requests, self.arms))

    def draw(self, phone: int) -> Arm | None:
        """The arm of a phone that is there while the run is; None where there is none to have."""
        if phone not in self.arms and self.has_arms and self.phase == "running":
            self.arms[phone] = self._draw.next()
        return self.arms.get(phone)

    def begin_run(self) -> None:
        self._require("predicting")
        self.phase = "running"

    def end_run(self) -> None:
        """From running to guessing, or to the end where nothing is guessed or the run failed."""
        self._require("running")
        self.phase = "ended" if self.outcome.error else AFTER_RUN[self.plan.kind]

    def finish(self) -> None:
        self._require("guessing")
        self.phase = "ended"

    def find_asked(self, phone: int) -> Asked | None:
        """What a phone may answer in this phase."""
        if self.phase == "predicting":
            return "prediction"
        return "felt" if self.phase == "guessing" and phone in self.arms else None

    def has_answered(self, phone: int) -> bool:
        """Whether it has answered what is asked now."""
        given, asked = self.answers.get(phone, Answers()), self.find_asked(phone)
        return (given.felt if asked == "felt" else given.last if asked else None) is not None

    def predict(self, phone: int, first: float, last: float) -> None:
        """Raises Refused (409) where no prediction is asked for, or a second time."""
        self._admit(phone, "prediction")
        given = self.answers.setdefault(phone, Answers())
        given.first, given.last = first, last

    def guess(self, phone: int, felt: float) -> None:
        """Raises Refused (409) where no guess is asked for, or a second time."""
        self._admit(phone, "felt")
        self.answers.setdefault(phone, Answers()).felt = felt

    def stop(self, phone: int, tokens: int, seconds: float) -> None:
        """Raises Refused (409) where there is nothing to stop, or a second time."""
        if self.plan.kind != "stop" or self.phase != "running" or phone not in self.arms or phone in self.stops:
            raise Refused("conflict", "There is nothing to stop now, or you have stopped it already.")
        self.stops[phone] = Stop(tokens, seconds)

    def count_answers(self, present: Iterable[int]) -> dict[str, int]:
        """How many have answered what is asked now; and of how many: those, and the phones `present` that may."""
        given = {phone for phone in self.answers if self.has_answered(phone)}
        return {"given": len(given), "of": len(given.union(phone for phone in present if self.find_asked(phone)))}

    def write_savings(self) -> Savings:
        """What the phones that stopped have saved so far."""
        run, stops = self.outcome, self.stops.values()
        return {
            "stopped": len(stops),
            "tokens_saved": sum(max(run.tokens - stop.tokens, 0) for stop in stops),
            "seconds_saved": round(sum(max((run.seconds or 0.0) - stop.seconds, 0.0) for stop in stops), 3),
            "at_least": run.finish == "cancelled",
        }

    def write(self) -> RoundState:
        """As JSON, for the teacher."""
        plan = self.plan
        return {
            "number": self.number,
            "kind": plan.kind,
            "phase": self.phase,
            "prompt": plan.prompt,
            "recorded": plan.recorded,
            "max_new_tokens": plan.max_new_tokens,
            "tokens_per_second": plan.tokens_per_second,
            "limit": plan.limit,
            "arms": self.count_arms(),  # type: ignore[typeddict-item]  # its keys are ARMS
        }

    def write_for(self, arm: Arm | None) -> dict[str, Any]:
        """As JSON, for a phone in this arm: it is not told how many others there are."""
        return {name: value for name, value in self.write().items() if name != "arms"} | {"arm": arm}

    def count_arms(self) -> dict[Arm, int] | None:
        """The phones of each arm; None where none is drawn, or not yet."""
        return self._draw.count() if self.has_arms and self.phase != "predicting" else None

    def _admit(self, phone: int, asked: Asked) -> None:
        if self.find_asked(phone) != asked:
            raise Refused("conflict", "This is not asked now: wait for the next question.")
        if self.has_answered(phone):
            raise Refused("conflict", "You have answered this already.")

    def _require(self, phase: Phase) -> None:
        if self.phase != phase:
            raise Refused("conflict", f"The round is {self.phase}, not {phase}.")
