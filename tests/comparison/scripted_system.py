"""A system under test with a known rate, and failures and texts that a test chooses."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from demo.bench.sample import MeasurementError
from tests.comparison.systems.system import Answer, Identity, Question, SystemUnderTest

TEXT = (
    "To make cheese you warm the milk, add rennet, cut the curd, drain it, press it, salt it and wait for some weeks."
)


def make_identity(
    name: str = "peer", concurrent: bool = True, is_ours: bool = False, weights: str = "Q4_1, as stored"
) -> Identity:
    return Identity(name, "1.0", weights, 100_000_000, "HTTP", concurrent, is_ours, "none")


def make_answer(
    rate: float = 100.0, tokens: int = 11, ttft: float = 0.5, asked: float = 0.0, text: str = TEXT
) -> Answer:
    times = tuple(asked + ttft + index / rate for index in range(tokens))
    return Answer(asked, times, tokens, text, 40)


@dataclass
class ScriptedSystem(SystemUnderTest):
    """`log`: the calls, in order. `fails_at`: the number of the request that fails."""

    identity: Identity = field(default_factory=make_identity)
    rate: float = 100.0
    text: str = TEXT
    fails_at: int | None = None
    log: list[str] = field(default_factory=list)
    asked: list[list[Question]] = field(default_factory=list)
    process: None = None

    def ask(self, questions: Sequence[Question], stagger: float = 0.0) -> list[Answer]:
        self.log.append("ask")
        self.asked.append(list(questions))
        if len(self.asked) == self.fails_at:
            raise MeasurementError("It is out of memory.")
        return [
            make_answer(self.rate, question.new_tokens, asked=stagger * index, text=self.text)
            for index, question in enumerate(questions)
        ]

    def pause(self) -> None:
        self.log.append("pause")

    def resume(self) -> None:
        self.log.append("resume")
