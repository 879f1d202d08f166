"""A limit that clients share: each may take a place only while it holds fewer than are free. Knows no client.

This is the dynamic threshold of shared-memory switches (Choudhury and Hahne, 1998): a single client gets half of all
places, k greedy ones get 1/(k + 1) each, and as many stay free for those who have none.
"""

import copy
import itertools
from collections import Counter


class SharedLimit:
    """`limit` places. With `per_free`, a client may hold fewer than so many for each place that is free."""

    def __init__(self, limit: int, per_free: int = 1) -> None:
        self.limit = limit
        self._per_free = per_free
        self._held: Counter[str] = Counter()
        self.taken = 0

    @property
    def free(self) -> int:
        """Places that nobody has taken."""
        return self.limit - self.taken

    @property
    def is_full(self) -> bool:
        """Whether a client that holds none is refused too."""
        return self.free <= 0

    def count(self, client: str) -> int:
        """The places of this client."""
        return self._held.get(client, 0)

    def take(self, client: str) -> bool:
        """Take a place for this client; False where it may not."""
        if self.count(client) >= self._per_free * self.free:
            return False
        self.add(client)
        return True

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
        alone = SharedLimit(self.limit, self._per_free)
        return next(places for places in itertools.count() if not alone.take(""))

    def add(self, client: str) -> None:
        """Count a place of this client, whether or not it may take one."""
        self._held[client] += 1
        self.taken += 1

    def give_back(self, client: str) -> None:
        """Free a place of this client."""
        self._held[client] -= 1
        self.taken -= 1
        if not self._held[client]:
            del self._held[client]
