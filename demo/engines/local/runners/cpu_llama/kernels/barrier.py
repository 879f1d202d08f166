"""How threads do one thing together, without Python's lock, and sleep between two things.

Work is done in stages, each in as many shares as there are threads. A thread that the system holds up must not hold up
the others: they do its share as well. What counts is what is there first; who comes too late throws its own away.
glibc's semaphores (sem_overview(7)) wake threads.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, cast

from numba import types

from demo.engines.local.runners.cpu_llama.kernels import compiled
from demo.engines.local.runners.cpu_llama.kernels.arithmetic import count_cycles, pause
from demo.engines.local.runners.cpu_llama.kernels.memory import add_atomically, read_atomically, replace_atomically

LINE = 64  # bytes of the processor's cache that go from core to core together; more than a semaphore takes
MOMENT = 100_000  # cycles, some 30 microseconds: far less than a thread is held up for


def _external(name: str, *arguments: Any) -> Callable[..., int]:
    function: Any = types.ExternalFunction(name, types.int32(*arguments))
    return cast(Callable[..., int], function)


sem_post = _external("sem_post", types.int64)
sem_wait = _external("sem_wait", types.int64)


class Share(NamedTuple):
    """A thread's try at a share of a stage."""

    number: int
    shares: int
    thread: int
    stage: int  # counted on from pass to pass
    ledger: int  # an address of int64, one a LINE: shares done in all; and of each share the last stage that has it
    shift: int  # bytes from where a result belongs to where this thread may write before the share is its own


@compiled
def is_open(share: Share) -> bool:
    """Whether nobody has done it."""
    return read_atomically(share.ledger + LINE * (1 + share.number)) < share.stage


@compiled
def claim(share: Share) -> bool:
    """Whether the caller is the first who has done it; then it puts its result where that belongs, and `finish`es."""
    return replace_atomically(share.ledger + LINE * (1 + share.number), share.stage - 1, share.stage) == 1


@compiled
def finish(share: Share) -> None:
    """Say that the result is where it belongs."""
    add_atomically(share.ledger, 1)


@compiled
def is_over(share: Share) -> bool:
    """Whether all shares of the stage are done."""
    return read_atomically(share.ledger) >= share.stage * share.shares


@compiled
def await_others(share: Share, began: int) -> None:
    """Until the stage is over; or for as long as the caller's own share has taken since the cycle `began`."""
    now = count_cycles()
    end = 2 * now - began + MOMENT
    while now < end and not is_over(share):
        pause()
        now = count_cycles()
