"""Turns: everybody does the same, one after the other, in an order that is drawn anew each time.

Who fails is left out from then on, with a sentence. Knows contestants only by what they answer.
"""

import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from demo.bench.contest.measures import Answers, Measure
from demo.bench.contest.prompts import ask_afresh, ask_plainly
from demo.bench.peers.contestant import Answer, Contestant
from demo.bench.sample import Unmeasured

T = TypeVar("T")

FEW = 8  # tokens of the request that comes before each measured one, and is dropped


@dataclass(slots=True)
class Played:
    """What has come of it: each contestant's answers by measure and round, and who was left out, and why.

    `client`: by measure, the greatest share of one core that this process used, reading the answers included.
    """

    plain: dict[str, Answer] = field(default_factory=dict)
    rounds: dict[str, list[dict[str, Answers]]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    client: dict[str, float] = field(default_factory=dict)


class Contest:
    """The contestants that still take part. Only who is asked may use the processor."""

    def __init__(
        self, contestants: Iterable[Contestant], measures: Sequence[Measure], say: Callable[[str], None]
    ) -> None:
        self._contestants = {contestant.identity.name: contestant for contestant in contestants}
        self._measures = measures
        self._say = say
        self.played = Played(rounds={measure.key: [] for measure in measures})

    def play(self, rounds: int, seed: int) -> Played:
        """A warm-up, which is dropped, and every measure `rounds` times."""
        for name in list(self._contestants):
            self._say(f"warm-up: {name}")
            self._try(name, self._warm_up)
        order = random.Random(seed)
        for turn in range(rounds):
            for measure in self._measures:
                self._say(f"round {turn + 1} of {rounds}: {measure.key}")
                self.played.rounds[measure.key].append(self._play_round(measure, turn, order))
        return self.played

    def _play_round(self, measure: Measure, turn: int, order: random.Random) -> dict[str, Answers]:
        names = [name for name, each in self._contestants.items() if measure.takes_part(each.identity)]
        order.shuffle(names)
        found: dict[str, Answers] = {}
        for name in names:
            answers = self._try(name, partial(self._ask, measure, turn))
            if answers is not None:
                found[name] = answers
        return found

    def _warm_up(self, contestant: Contestant) -> None:
        """The plain question, of which only the text is kept, and each measure's own with short answers."""
        self.played.plain[contestant.identity.name] = contestant.ask([ask_plainly()])[0]
        for measure in self._measures:
            if measure.takes_part(contestant.identity):
                contestant.ask([replace(question, new_tokens=FEW) for question in measure.ask(-1)])

    def _ask(self, measure: Measure, turn: int, contestant: Contestant) -> Answers:
        """A short question that is dropped, then those that are measured."""
        contestant.ask([ask_afresh(f"before {measure.key} {turn}", FEW)])
        begin, used = time.perf_counter(), time.process_time()
        answers = contestant.ask(measure.ask(turn), measure.apart)
        share = (time.process_time() - used) / (time.perf_counter() - begin)
        self.played.client[measure.key] = max(share, self.played.client.get(measure.key, 0.0))
        return answers

    def _try(self, name: str, act: Callable[[Contestant], T]) -> T | None:
        """What it answers; None where it fails, and is left out from then on."""
        contestant = self._contestants[name]
        contestant.resume()
        try:
            return act(contestant)
        except Unmeasured as error:
            self.played.left_out[name] = str(error)
            self._say(f"{name} is left out: {error}")
            del self._contestants[name]
            return None
        finally:
            contestant.pause()
