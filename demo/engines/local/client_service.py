"""How much each client has been computed of late, so that the one with the least goes first."""

import math
from collections.abc import Hashable
from typing import Final

HALF_LIFE: Final = 10.0  # seconds, after which a token counts half


class ClientService:
    """Tokens computed for each client, the older the less."""

    def __init__(self) -> None:
        self._service: dict[Hashable, tuple[float, float]] = {}  # tokens, and when that was so

    def find(self, client: Hashable, now: float) -> float:
        """Tokens of late."""
        tokens, since = self._service.get(client, (0.0, now))
        return tokens * math.pow(2, (since - now) / HALF_LIFE)

    def note(self, client: Hashable, tokens: int, now: float) -> None:
        """So many tokens are computed for a client now."""
        if client is not None:  # each request without a client stands for itself
            self._service[client] = (self.find(client, now) + tokens, now)

    def forget(self, now: float) -> None:
        """Drop the clients that have not had a token's worth of late."""
        self._service = {client: held for client, held in self._service.items() if self.find(client, now) >= 1}
