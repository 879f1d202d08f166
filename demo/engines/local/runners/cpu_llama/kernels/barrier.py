"""A barrier with work stealing, without the GIL: an idle thread repeats a preempted thread's task; the first to finish
commits by compare-and-swap, later results are dropped.

Each operation is split into one task per thread. Idle threads sleep on glibc's semaphores (sem_overview(7)).
"""

from collections.abc import Callable
from typing import Any, NamedTuple, cast

from numba import types

from demo.engines.local.runners.cpu_llama.kernels import compiled
from demo.engines.local.runners.cpu_llama.kernels.memory import atomic_add, atomic_load, compare_and_swap
from demo.engines.local.runners.cpu_llama.kernels.simd import count_cycles, pause

LINE = 64  # bytes of a cache line: counters on lines of their own do not slow each other; a semaphore is shorter
MIN_SPIN = 100_000  # cycles, some 30 microseconds: far less than a preemption lasts


def _external(name: str, *arguments: Any) -> Callable[..., int]:
    function: Any = types.ExternalFunction(name, types.int32(*arguments))
    return cast(Callable[..., int], function)


sem_post = _external("sem_post", types.int64)
_sem_wait = _external("sem_wait", types.int64)


class Task(NamedTuple):
    """One thread's attempt at one of an operation's tasks."""

    number: int
    tasks: int  # as many as there are threads
    thread: int
    operation: int  # counted on from pass to pass
    progress: int  # address of int64 counters, one a LINE: committed tasks; of each task, the last claimed operation
    scratch: int  # byte offset from a shared buffer to this thread's private copy of it


@compiled
def sem_wait(semaphore: int) -> None:
    """Decrement a semaphore, sleeping while it is 0. A signal ends the system call early (EINTR): it is repeated."""
    while _sem_wait(semaphore) != 0:
        pass


@compiled
def is_open(task: Task) -> bool:
    """Whether no thread has claimed the task."""
    return atomic_load(task.progress + LINE * (1 + task.number)) < task.operation


@compiled
def claim(task: Task) -> bool:
    """Whether the caller is the first to have computed the task. It then copies its result, and calls `commit`."""
    return compare_and_swap(task.progress + LINE * (1 + task.number), task.operation - 1, task.operation) == 1


@compiled
def commit(task: Task) -> None:
    """Count a claimed task as done: its result is in the shared buffer."""
    atomic_add(task.progress, 1)


@compiled
def is_finished(task: Task) -> bool:
    """Whether all tasks of the operation are committed."""
    return atomic_load(task.progress) >= task.operation * task.tasks


@compiled
def wait_for_others(task: Task, began: int) -> None:
    """Spin until the operation is finished, or for as long as the caller's own task has taken since cycle `began`."""
    now = count_cycles()
    end = 2 * now - began + MIN_SPIN
    while now < end and not is_finished(task):
        pause()
        now = count_cycles()
