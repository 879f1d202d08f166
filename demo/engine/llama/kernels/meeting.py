"""How threads that work on one thing wait for each other, without Python's lock, and sleep between two things.

glibc's semaphores (sem_overview(7)) wake them.
"""

from collections.abc import Callable
from typing import Any, cast

from numba import types

from demo.engine.llama.kernels import compiled
from demo.engine.llama.kernels.addresses import add_atomically, read_atomically
from demo.engine.llama.kernels.arithmetic import pause

SEMAPHORE_BYTES = 64  # more than glibc's take, and a line of the cache for each
SPINS = 2000  # some ten microseconds; then whoever else waits for the core has it


def _external(name: str, *arguments: Any) -> Callable[..., int]:
    function: Any = types.ExternalFunction(name, types.int32(*arguments))
    return cast(Callable[..., int], function)


sem_post = _external("sem_post", types.int64)
sem_wait = _external("sem_wait", types.int64)
sched_yield = _external("sched_yield")


@compiled
def meet(arrivals: int, threads: int) -> None:
    """Wait until all threads have come here; `arrivals` is the address of an int64 that all of them count up."""
    goal = (add_atomically(arrivals, 1) // threads + 1) * threads
    spins = 0
    while read_atomically(arrivals) < goal:
        pause()
        spins += 1
        if spins > SPINS:
            sched_yield()
