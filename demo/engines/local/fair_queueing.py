"""Fair queueing: clients and addresses share the engine. Knows no runner.

The prompt of the client with the least recent service is read first; and the rows of a step are shared where not all
sequences should decode.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from typing import Final, TypeVar

from demo.client_key import find_address_key
from demo.engines.local.sequence import Sequence

T = TypeVar("T")
HALF_LIFE: Final = 10.0  # seconds after which a token counts half
KEPT: Final = 1000
PER_ADDRESS: Final = 3  # clients of one address that count: keys and sessions can be invented


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


def share_rows(sequences: list[Sequence], efficient: int) -> list[Sequence]:
    """Those of `sequences` that decode in this step, in the same order.

    All of them where they are at most `efficient` or one client's. Else each row makes the step longer for everybody,
    and a client decodes at most as many as the others have on average, or its part of the efficient ones. All clients
    of an address have at most three parts beside those of other addresses. Sequences take turns, the one that decoded
    least recently first.
    """
    clients = _group(sequences, find_client)
    if len(sequences) <= efficient or len(clients) == 1:
        return sequences
    addresses = _group(clients, find_address)
    groups = list(addresses.values()) if len(addresses) > 1 else [[client] for client in clients]
    parts = sum(min(len(group), PER_ADDRESS) for group in groups)
    chosen: set[Sequence] = set()
    for group in groups:
        own = min(len(group), PER_ADDRESS)
        others = len(sequences) - sum(len(clients[client]) for client in group)
        share = max(others // (parts - own), efficient // parts, 1)
        rows = [row for client in group for row in _take_turns(clients[client], share)]
        chosen.update(_take_turns(rows, own * share))
    return [sequence for sequence in sequences if sequence in chosen]


def find_client(sequence: Sequence) -> Hashable:
    """The client; requests without one are independent."""
    return sequence.request.client or sequence


def find_address(client: Hashable) -> Hashable:
    """The address of a client, where it has one."""
    return find_address_key(client) if isinstance(client, str) else client


def _group(items: Iterable[T], find_key: Callable[[T], Hashable]) -> dict[Hashable, list[T]]:
    groups: defaultdict[Hashable, list[T]] = defaultdict(list)
    for item in items:
        groups[find_key(item)].append(item)
    return groups


def _take_turns(rows: list[Sequence], most: int) -> list[Sequence]:
    return sorted(rows, key=lambda sequence: sequence.decoded)[:most]
