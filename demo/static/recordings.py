"""The recorded runs by machine and model: what each offers, and the names of its files."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from demo.engine import Ready
from demo.engines.replay import RECORDINGS, Replay, find_rate, read_recordings
from demo.trace import Trace, read_trace
from demo.ui.listeners.race import describe_status
from demo.ui.view.options import RACE_PACES, REAL_SPEED, choose_pace, list_speeds

MACHINES: Final = RECORDINGS / "machines"  # a folder for each: any name, any files
EXAMPLE_FILE: Final = RECORDINGS / "example" / "example.json"
STORIES: Final = RECORDINGS / "stories"
EXAMPLE_PACES: Final = (REAL_SPEED, *RACE_PACES)


@dataclass(frozen=True, slots=True)
class Machine:
    """The runs of one model on one machine, at most one of a prompt."""

    number: int
    traces: tuple[Trace, ...]

    @property
    def name(self) -> str:
        """What tells it from the others."""
        first = self.traces[0]
        return f"{first.model_id.rpartition('/')[2]}, {first.dtype}, on {first.place}"

    @property
    def rate(self) -> float | None:
        """Its tokens/s."""
        return find_rate(self.traces)

    @property
    def paces(self) -> tuple[float | None, ...]:
        """The speeds at which its runs are played: its own, and those to which it can be slowed."""
        return list_paces(self.rate)

    def name_run(self, trace: Trace) -> str:
        """What the names of a run's files begin with."""
        return f"{self.number}-{self.traces.index(trace) + 1}"

    def describe(self) -> dict[str, Any]:
        """What the page needs before a race."""
        status = Replay(self.traces).status
        assert isinstance(status, Ready)
        named = Ready(replace(status.card, device=self.traces[0].place))
        offered = {REAL_SPEED, *(pace for pace in self.paces if pace)}
        default = choose_pace(self.rate)
        return {
            "name": self.name,
            "line": describe_status(named),
            "speeds": [each for each in list_speeds(self.rate) if each[1] in offered],
            "pace": default if default in offered else REAL_SPEED,
            "runs": {trace.question: self.name_run(trace) for trace in self.traces},
        }


def group_by_machine(traces: Sequence[Trace]) -> tuple[Machine, ...]:
    """The machines in the order of their first runs; of several runs of a prompt the first."""
    found: dict[tuple[str, str, str], dict[str, Trace]] = {}
    for trace in traces:
        key = (trace.model_id, trace.place, trace.dtype)
        found.setdefault(key, {}).setdefault(trace.question, trace)
    return tuple(Machine(number, tuple(runs.values())) for number, runs in enumerate(found.values(), start=1))


def list_paces(rate: float | None) -> tuple[float | None, ...]:
    """The speeds at which a run is played that was made at `rate` tokens/s: that, and those it can be slowed to."""
    return (None, *(pace for pace in RACE_PACES if rate is None or pace < rate))


@dataclass(frozen=True, slots=True)
class Recordings:
    """What the page plays: races, the documentation's example at its greatest length, and stories."""

    races: tuple[Trace, ...]
    example: Trace
    stories: tuple[Trace, ...]


def read_all() -> Recordings:
    """All that ships with the demo; first the races that a server plays too."""
    races = (*read_recordings(), *map(_read, sorted(MACHINES.glob("*/*.json"))))
    return Recordings(races, _read(EXAMPLE_FILE), read_recordings(STORIES))


def _read(path: Path) -> Trace:
    return read_trace(path.read_text("utf-8"))
