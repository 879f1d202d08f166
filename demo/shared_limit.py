"""A limit that clients share: each may take a place only while it holds fewer than are free. Knows no client.

This is the dynamic threshold of shared-memory switches (Choudhury and Hahne, 1998): a single client gets half of all
places, k greedy ones get 1/(k + 1) each, and as many stay free for those who have none.
"""

from collections import Counter


class SharedLimit:
    """`limit` places."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._held: Counter[str] = Counter()
        self.taken = 0

    @property
    def is_full(self) -> bool:
        """Whether a client that holds none is refused too."""
        return self.taken >= self.limit

    def take(self, client: str) -> bool:
        """Take a place for this client; False where it may not."""
        if self._held[client] >= self.limit - self.taken:
            self._held += Counter()  # drops clients without places
            return False
        self._held[client] += 1
        self.taken += 1
        return True

    def give_back(self, client: str) -> None:
        """Free a place of this client."""
        self._held[client] -= 1
        self.taken -= 1
        if not self._held[client]:
            del self._held[client]
