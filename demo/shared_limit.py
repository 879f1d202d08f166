"""A limit that clients share: each may take a place only while it holds fewer than are free. Knows no client.

This is the dynamic threshold of shared-memory switches (Choudhury and Hahne, 1998): a single client gets half of all
places, k greedy ones get 1/(k + 1) each, and as many stay free for those who have none.

Of few places, half would be too little for one request with four choices. So a client takes up to `FEW` while it is
alone: no other holds a place, and none has wanted one lately.
"""

import copy
import math
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

FEW: Final = 4
ALONE_SECONDS: Final = 10.0  # for which a client that wanted a place is taken to be there still


class SharedLimit:
    """`limit` places. With `per_free`, a client may hold fewer than so many for each place that is free."""

    def __init__(self, limit: int, per_free: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self._per_free = per_free
        self._clock = clock
        self._held: Counter[str] = Counter()
        self.taken = 0
        self._wanted = ("", -math.inf)  # by whom and when a place was last wanted
        self._wanted_before = -math.inf  # when, by any other

    @property
    def free(self) -> int:
        return self.limit - self.taken

    @property
    def is_full(self) -> bool:
        """Whether a client that holds none is refused too."""
        return self.free <= 0

    def count(self, client: str) -> int:
        return self._held.get(client, 0)

    def take(self, client: str) -> bool:
        """Take a place for this client; False where it may not."""
        self.note(client)
        held = self.count(client)
        if held >= self._per_free * self.free and not (held < FEW and not self.is_full and self._is_alone(client)):
            return False
        self.add(client)
        return True

    def note(self, client: str) -> None:
        """This client wants a place, which it may not get."""
        last, at = self._wanted
        if client != last:
            self._wanted_before = at
        self._wanted = (client, self._clock())

    def _is_alone(self, client: str) -> bool:
        """Whether no other client has a place, or wanted one lately. For a client that has just been noted."""
        return self.taken == self.count(client) and self._clock() - self._wanted_before > ALONE_SECONDS

    def take_all(self, client: str, places: int) -> bool:
        """Take so many places for this client, or none; False where it may not have all of them."""
        for taken in range(places):
            if not self.take(client):
                for _ in range(taken):
                    self.give_back(client)
                return False
        return True

    def copy(self) -> "SharedLimit":
        """The same, of which places can be taken and given back on trial."""
        other = copy.copy(self)
        other._held = self._held.copy()
        return other

    def count_most(self) -> int:
        """The places that one client takes while nobody else holds any."""
        shared = -(-self._per_free * self.limit // (self._per_free + 1))
        return max(shared, min(self.limit, FEW))

    def add(self, client: str) -> None:
        """Count a place of this client, whether or not it may take one."""
        self._held[client] += 1
        self.taken += 1

    def give_back(self, client: str) -> None:
        self._held[client] -= 1
        self.taken -= 1
        if not self._held[client]:
            del self._held[client]
