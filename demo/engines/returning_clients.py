"""Which clients ask again as soon as they are answered, as a program in a loop does. Knows no request.

A forecast that let such a client go after its answer would promise its place, and its part of each step, to others.
"""

import math
from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

SOON: Final = 1.0  # seconds after an answer in which the client asks again
MOST: Final = 1024  # clients, the least recently seen are forgotten first
LIKELY: Final = 0.7  # inclination to return, which two returns in a row exceed
SMOOTHING: Final = 0.5  # weight of the newest observation
Client = TypeVar("Client", bound=Hashable)


class ReturningClients(Generic[Client]):
    """Notes requests and ends of each client. The caller locks."""

    def __init__(self) -> None:
        self._seen: OrderedDict[Client, tuple[float, float]] = OrderedDict()  # end of the last answer, inclination

    def note_request(self, client: Client, now: float) -> None:
        """A client asks, and is admitted."""
        ended, inclination = self._seen.pop(client, (math.inf, 0.0))
        if math.isfinite(ended):
            inclination += SMOOTHING * ((now - ended <= SOON) - inclination)
        self._seen[client] = math.inf, inclination
        if len(self._seen) > MOST:
            self._seen.popitem(last=False)

    def note_end(self, client: Client, now: float) -> None:
        """A client's answer has ended."""
        if client in self._seen:
            self._seen[client] = now, self._seen[client][1]

    def returns(self, client: Client) -> bool:
        """Whether it is more likely than not that the client asks again soon after its answer."""
        return client is not None and self._seen.get(client, (0.0, 0.0))[1] > LIKELY

    def list_away(self, now: float) -> list[Client]:
        """The clients whose answer has just ended, and that are likely to ask again in a moment."""
        return [
            client for client, (ended, _) in self._seen.items() if 0 <= now - ended <= SOON and self.returns(client)
        ]
