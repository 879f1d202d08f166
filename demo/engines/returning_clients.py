"""Which clients ask again as soon as they are answered, as a program in a loop does.

A forecast that let such a client go after its answer would promise its place, and its part of each step, to others.
"""

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Final, Generic, TypeVar

SOON: Final = 1.0  # seconds after an answer in which the client asks again
MOST: Final = 1024  # clients, the least recently seen are forgotten first
LIKELY: Final = 0.7  # inclination to return, which two returns in a row exceed
SMOOTHING: Final = 0.5  # weight of the newest observation
Asked = TypeVar("Asked")


@dataclass(frozen=True, slots=True)
class Habit(Generic[Asked]):
    """What is known of one client."""

    asked: Asked  # its last request
    begun: float  # when it was admitted
    ended: float = math.inf  # when its last answer ended; infinite while it waits for one
    seconds: float = 0.0  # that its last answer took
    inclination: float = 0.0  # to return, from 0 to 1
    pause: float = 0.0  # seconds between an answer and the next request, where it returned

    @property
    def returns(self) -> bool:
        """Whether it is more likely than not that the client asks again soon after its answer."""
        return self.inclination > LIKELY

    def find_back(self, now: float) -> float:
        """Seconds until a client that is away is expected to ask again."""
        return max(self.ended + self.pause - now, 0.0)

    def note_request(self, asked: Asked, now: float) -> "Habit[Asked]":
        """The client asks, and is admitted: again, where an answer of it has ended."""
        inclination, pause, away = self.inclination, self.pause, now - self.ended
        if math.isfinite(away):
            if away <= SOON:
                pause += (SMOOTHING if inclination else 1.0) * (away - pause)
            inclination += SMOOTHING * ((away <= SOON) - inclination)
        return Habit(asked, now, math.inf, self.seconds, inclination, pause)

    def note_end(self, now: float) -> "Habit[Asked]":
        """Its answer ends."""
        return replace(self, ended=now, seconds=now - self.begun)


class ReturningClients(Generic[Asked]):
    """Notes requests and ends of each client, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._habits: OrderedDict[str, Habit[Asked]] = OrderedDict()

    def note_request(self, client: str | None, asked: Asked, now: float) -> None:
        """A client asks, and is admitted."""
        if client is None:
            return
        with self._lock:
            known = self._habits.pop(client, None) or Habit(asked, now)
            self._habits[client] = known.note_request(asked, now)
            if len(self._habits) > MOST:
                self._habits.popitem(last=False)

    def note_end(self, client: str | None, now: float) -> None:
        with self._lock:
            if client is not None and (habit := self._habits.get(client)) is not None:
                self._habits[client] = habit.note_end(now)

    def find(self, client: str | None) -> Habit[Asked] | None:
        """The habit of a client that is likely to ask again."""
        with self._lock:
            habit = None if client is None else self._habits.get(client)
        return habit if habit is not None and habit.returns else None

    def list_away(self, now: float) -> list[tuple[str, Habit[Asked]]]:
        """The clients whose answer has just ended, and that are likely to ask again in a moment."""
        with self._lock:
            return [
                (client, habit)
                for client, habit in self._habits.items()
                if 0 <= now - habit.ended <= SOON and habit.returns
            ]
