"""Recent service of clients and addresses, in tokens: the client with the least comes first (fair queueing)."""

import math
from collections.abc import Hashable
from typing import Final

HALF_LIFE: Final = 10.0  # seconds after which a token counts half
KEPT: Final = 1000


class ClientService:
    """Tokens computed for each client, or for each address, with exponential decay."""

    def __init__(self) -> None:
        self._service: dict[Hashable, tuple[float, float]] = {}  # tokens, at that time
        self._most = KEPT  # clients that are held before those of long ago are looked for

    def find(self, client: Hashable, now: float) -> float:
        """The tokens that count at `now`."""
        tokens, since = self._service.get(client, (0.0, now))
        return tokens * math.pow(2, (since - now) / HALF_LIFE)

    def note(self, client: Hashable, tokens: int, now: float) -> None:
        """Add the tokens of a step."""
        if client is not None:  # requests without a client are independent
            self._service[client] = (self.find(client, now) + tokens, now)
            if len(self._service) > self._most:  # on a server that is never idle
                self.forget(now)
                self._most = max(KEPT, 2 * len(self._service))

    def forget(self, now: float) -> None:
        """Drop the clients whose tokens count less than one."""
        self._service = {client: held for client, held in self._service.items() if self.find(client, now) >= 1}
