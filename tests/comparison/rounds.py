"""The rounds: every system answers the same questions, one system after the other, in a new random order each time.

A system that fails is left out from then on, with the reason.
"""

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from demo.bench.sample import MeasurementError
from tests.comparison.measures import MEASURES, Answers, Measure
from tests.comparison.prompts import make_plain, make_unique
from tests.comparison.systems.system import Answer, SystemUnderTest

T = TypeVar("T")

WARM_UP_TOKENS = 8  # of the request before each measured one, which is dropped


@dataclass(slots=True)
class Outcome:
    """Each system's answers, to the plain question and by measure and round; and the systems left out, and why.

    `client`: by measure, the greatest share of one core that this process used, decoding included.
    """

    plain: dict[str, Answer] = field(default_factory=dict)
    rounds: dict[str, list[dict[str, Answers]]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    client: dict[str, float] = field(default_factory=dict)


class Comparison:
    """The systems that are not left out. A system is paused unless it is being asked."""

    def __init__(self, systems: Iterable[SystemUnderTest], report_progress: Callable[[str], None]) -> None:
        self._systems = {system.identity.name: system for system in systems}
        self._report_progress = report_progress
        self._outcome = Outcome(rounds={measure.key: [] for measure in MEASURES})

    def run(self, rounds: int, seed: int) -> Outcome:
        """A warm-up, which is dropped, and every measure `rounds` times."""
        for name in list(self._systems):
            self._report_progress(f"warm-up: {name}")
            self._try(name, self._warm_up)
        rng = random.Random(seed)
        for number in range(rounds):
            for measure in MEASURES:
                self._report_progress(f"round {number + 1} of {rounds}: {measure.key}")
                self._outcome.rounds[measure.key].append(self._run_round(measure, number, rng))
        return self._outcome

    def _run_round(self, measure: Measure, number: int, rng: random.Random) -> dict[str, Answers]:
        names = [name for name, system in self._systems.items() if measure.applies_to(system.identity)]
        rng.shuffle(names)
        answers = {name: self._try(name, partial(self._ask, measure, number)) for name in names}
        return {name: found for name, found in answers.items() if found is not None}

    def _warm_up(self, system: SystemUnderTest) -> None:
        """The plain question, of which only the text is kept, and each measure's questions with short answers."""
        self._outcome.plain[system.identity.name] = system.ask([make_plain()])[0]
        for measure in MEASURES:
            if measure.applies_to(system.identity):
                system.ask([replace(question, new_tokens=WARM_UP_TOKENS) for question in measure.write(-1)])

    def _ask(self, measure: Measure, number: int, system: SystemUnderTest) -> Answers:
        """A short question that is dropped, then those that are measured."""
        system.ask([make_unique(f"before {measure.key} {number}", WARM_UP_TOKENS)])
        begin, used = time.perf_counter(), time.process_time()
        answers = system.ask(measure.write(number), measure.stagger)
        share = (time.process_time() - used) / (time.perf_counter() - begin)
        self._outcome.client[measure.key] = max(share, self._outcome.client.get(measure.key, 0.0))
        return answers

    def _try(self, name: str, act: Callable[[SystemUnderTest], T]) -> T | None:
        """The result; None where the system fails, and is left out from then on."""
        system = self._systems[name]
        system.resume()
        try:
            return act(system)
        except MeasurementError as error:
            self._outcome.left_out[name] = str(error)
            self._report_progress(f"{name} is left out: {error}")
            del self._systems[name]
            return None
        finally:
            system.pause()
