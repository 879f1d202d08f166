"""The threads that compute the passes of one Llama."""

import ctypes
import weakref
from threading import Thread
from typing import Any

import numpy as np
import numpy.typing as npt

from demo.engine.llama.kernels.layers import PASS, compute
from demo.engine.llama.kernels.meeting import SEMAPHORE_BYTES

Array = npt.NDArray[Any]


class Crew:
    """The caller's thread and as many more as asked for, which sleep between two passes and end with this."""

    def __init__(self, layers: Array, head: Array, threads: int) -> None:
        """`layers` and `head` are records of LAYER and HEAD, as the kernels have them."""
        self.threads = threads
        self._next = np.zeros(1, PASS)
        meetings, semaphores = np.zeros(1, np.int64), np.zeros((threads, SEMAPHORE_BYTES), np.uint8)
        self._shared = (self._next, layers, head, meetings, semaphores)
        for thread in range(1, threads):
            _libc.sem_init(_at(semaphores[thread]), 0, 0)
            Thread(target=compute, args=(*self._shared, thread), name=f"crew {thread}", daemon=True).start()
        weakref.finalize(self, _dismiss, self._next, semaphores)

    def run(self, record: Array) -> None:
        """Compute a pass, a record of PASS."""
        self._next[:] = record
        compute(*self._shared, 0)


_libc = ctypes.CDLL(None)


def _dismiss(passes: Array, semaphores: Array) -> None:
    passes["ended"] = 1
    for semaphore in semaphores[1:]:
        _libc.sem_post(_at(semaphore))


def _at(array: Array) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
