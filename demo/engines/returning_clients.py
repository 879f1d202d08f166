"""Which clients ask again as soon as they are answered, as a program in a loop does.

A forecast that let such a client go after its answer would promise its place, and its part of each step, to others.
"""

import math
import threading
from collections import OrderedDict
from copy import copy
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

SOON: Final = 1.0  # seconds after an answer in which the client asks again
MOST: Final = 1024  # clients, the least recently seen are forgotten first
LIKELY: Final = 0.7  # inclination to return, which two returns in a row exceed
SMOOTHING: Final = 0.5  # weight of the newest observation
Asked = TypeVar("Asked")


@dataclass(slots=True)
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

    def note_return(self, pause: float) -> None:
        """The client asks again, after so many seconds."""
        if pause <= SOON:
            self.pause += (SMOOTHING if self.inclination else 1.0) * (pause - self.pause)
        self.inclination += SMOOTHING * ((pause <= SOON) - self.inclination)


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
            habit = self._habits.pop(client, None) or Habit(asked, now)
            if math.isfinite(habit.ended):
                habit.note_return(now - habit.ended)
            habit.asked, habit.begun, habit.ended = asked, now, math.inf
            self._habits[client] = habit
            if len(self._habits) > MOST:
                self._habits.popitem(last=False)

    def note_end(self, client: str | None, now: float) -> None:
        with self._lock:
            if client is not None and (habit := self._habits.get(client)) is not None:
                habit.ended, habit.seconds = now, now - habit.begun

    def find(self, client: str | None) -> Habit[Asked] | None:
        """The habit of a client that is likely to ask again."""
        with self._lock:
            habit = None if client is None else self._habits.get(client)
            return copy(habit) if habit is not None and habit.returns else None

    def list_away(self, now: float) -> list[tuple[str, Habit[Asked]]]:
        """The clients whose answer has just ended, and that are likely to ask again in a moment."""
        with self._lock:
            return [
                (client, copy(habit))
                for client, habit in self._habits.items()
                if 0 <= now - habit.ended <= SOON and habit.returns
            ]
