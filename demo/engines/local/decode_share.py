"""Which sequences decode in a step where not all should: its rows are shared between clients. Knows no runner."""

from collections import defaultdict
from collections.abc import Hashable

from demo.engines.local.sequence import Sequence


def share_rows(sequences: list[Sequence], efficient: int) -> list[Sequence]:
    """Those of `sequences` that decode in this step, in the same order.

    All of them where they are at most `efficient` or one client's. Else each row makes the step longer for everybody,
    and a client decodes at most as many as the others have on average, or its part of the efficient ones. Its sequences
    take turns, the one that decoded least recently first.
    """
    clients: defaultdict[Hashable, list[Sequence]] = defaultdict(list)
    for sequence in sequences:
        clients[sequence.request.client or sequence].append(sequence)  # requests without a client are independent
    if len(sequences) <= efficient or len(clients) == 1:
        return sequences
    chosen: set[Sequence] = set()
    for rows in clients.values():
        others = (len(sequences) - len(rows)) // (len(clients) - 1)
        share = max(others, efficient // len(clients), 1)
        chosen.update(sorted(rows, key=lambda sequence: sequence.decoded)[:share])
    return [sequence for sequence in sequences if sequence in chosen]
