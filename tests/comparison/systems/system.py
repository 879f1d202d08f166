"""A system under test, its questions and its timed answers."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from demo.bench.software import UNKNOWN
from tests.comparison.systems.process import Process

Messages = tuple[dict[str, str], ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A conversation to continue greedily by `new_tokens` tokens."""

    messages: Messages
    new_tokens: int


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. All times in seconds of this machine's monotonic clock.

    `times`: arrivals of the pieces of text. `tokens`: the generated tokens as the system reports them, else the number
    of pieces.
    """

    asked: float
    times: tuple[float, ...]
    tokens: int
    text: str
    prompt_tokens: int | None = None

    @property
    def ttft(self) -> float:
        return self.times[0] - self.asked

    @property
    def gaps(self) -> tuple[float, ...]:
        return tuple(later - earlier for earlier, later in pairwise(self.times))


@dataclass(frozen=True, slots=True)
class Identity:
    """A system's name, version and weights. `weight_bytes`: read for each token; None where not known.

    `interface`: HTTP or in process. `concurrent`: whether it answers several requests at once. `is_ours`: whether the
    others are compared with it.
    """

    name: str
    version: str
    weights: str
    weight_bytes: int | None
    interface: str
    concurrent: bool = True
    is_ours: bool = False
    prefix_caching: str = UNKNOWN.prefix_caching

    @property
    def peer(self) -> str:
        """The name without the data type of its weights: the same for both data types of one peer."""
        return self.name.removesuffix(f" {self.weights}")


class SystemUnderTest(ABC):
    """Anything that answers questions. `process`: its own, where the comparison started it."""

    identity: Identity
    process: Process | None

    @abstractmethod
    def ask(self, questions: Sequence[Question], stagger: float = 0.0) -> list[Answer]:
        """The answers to questions sent `stagger` seconds after each other; 0 sends all at once.

        Raises MeasurementError where it fails.
        """

    def pause(self) -> None:
        """Use no CPU until `resume`."""
        if self.process is not None:
            self.process.pause()

    def resume(self) -> None:
        """Be ready for questions."""
        if self.process is not None:
            self.process.resume()
