"""Which clients ask again as soon as they are answered, as a program in a loop does. Knows no request.

A forecast that let such a client go after its answer would promise its place, and its part of each step, to others.
"""

import math
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

SOON: Final = 1.0  # seconds after an answer in which the client asks again
MOST: Final = 1024  # clients, the least recently seen are forgotten first
LIKELY: Final = 0.7  # inclination to return, which two returns in a row exceed
SMOOTHING: Final = 0.5  # weight of the newest observation


@dataclass(slots=True)
class _Habit:
    """What is known of one client: when its last answer ended, infinite while it waits for one."""

    ended: float = math.inf
    inclination: float = 0.0  # to return
    pause: float = 0.0  # seconds between an answer and the next request, where it returned


class ReturningClients:
    """Notes requests and ends of each client. The caller locks."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str | None, _Habit] = OrderedDict()

    def note_request(self, client: str | None, now: float) -> None:
        """A client asks, and is admitted."""
        habit = self._seen.pop(client, None) or _Habit()
        if math.isfinite(habit.ended):
            pause = now - habit.ended
            if pause <= SOON:
                habit.pause = pause if not habit.inclination else habit.pause + SMOOTHING * (pause - habit.pause)
            habit.inclination += SMOOTHING * ((pause <= SOON) - habit.inclination)
        habit.ended = math.inf
        self._seen[client] = habit
        if len(self._seen) > MOST:
            self._seen.popitem(last=False)

    def note_end(self, client: str | None, now: float) -> None:
        """A client's answer has ended."""
        if client in self._seen:
            self._seen[client].ended = now

    def returns(self, client: str | None) -> bool:
        """Whether it is more likely than not that the client asks again soon after its answer."""
        return client is not None and client in self._seen and self._seen[client].inclination > LIKELY

    def find_pause(self, client: str | None) -> float | None:
        """Seconds after its answer in which the client usually asks again; None where it is not likely to."""
        return self._seen[client].pause if self.returns(client) else None

    def list_away(self, now: float) -> Iterator[tuple[str | None, float]]:
        """The clients that were answered a moment ago and are likely to ask again, and in how many seconds."""
        for client, habit in self._seen.items():
            if 0 <= now - habit.ended <= SOON and self.returns(client):
                yield client, max(habit.ended + habit.pause - now, 0.0)
