"""Which sequences decode in a step where not all should: its rows are shared between clients. Knows no runner."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from typing import Final, TypeVar

from demo.client_key import find_address_key
from demo.engines.local.sequence import Sequence

T = TypeVar("T")
PER_ADDRESS: Final = 3  # clients of one address that count: keys and sessions can be invented


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
