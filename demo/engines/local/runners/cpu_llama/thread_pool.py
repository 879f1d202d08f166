"""The threads that compute the passes of one Llama."""

import ctypes
import time
import weakref
from threading import Thread
from typing import Any

import numpy as np
import numpy.typing as npt

from demo.engines.local.runners.cpu_llama.forward_batch import ForwardBatch
from demo.engines.local.runners.cpu_llama.kernels.barrier import LINE
from demo.engines.local.runners.cpu_llama.kernels.forward import BEGUN, ENDED, LEDGER, PASS, SLOTS, compute

Array = npt.NDArray[Any]

MOMENT = 1e-4  # seconds between two looks at a thread that is held up


class ThreadPool:
    """The caller's thread and as many more as asked for, which sleep between two passes and end with this.

    A thread that the system holds up in the middle of a pass may still read of it when it has long been over.
    """

    def __init__(self, layers: Array, head: Array, weights: object, threads: int) -> None:
        """`layers` and `head` are records of LAYER and HEAD, as the kernels have them; they point to the `weights`."""
        self.threads = threads
        self._passes = np.zeros(SLOTS, PASS)
        self._board = np.zeros((LEDGER + 1 + threads, LINE // 8), np.int64)
        self._busy = np.zeros((threads, LINE // 8), np.int64)
        semaphores = np.zeros((threads, LINE), np.uint8)
        self._shared = (self._passes, layers, head, self._board, self._busy, semaphores)
        self._kept: dict[int, ForwardBatch] = {}  # those that a thread may be in, by their numbers
        for thread in range(1, threads):
            _libc.sem_init(_at(semaphores[thread]), 0, 0)
            Thread(target=compute, args=(*self._shared, thread), name=f"crew {thread}", daemon=True).start()
        weakref.finalize(self, _dismiss, self._board, self._busy, semaphores, weights)

    def run(self, now: ForwardBatch) -> None:
        """Compute a pass."""
        number = int(self._board[BEGUN, 0]) + 1
        while number > SLOTS and number - SLOTS in self._busy[:, 0]:
            time.sleep(MOMENT)
        self._passes[number % SLOTS] = now.record[0]
        self._kept[number] = now
        compute(*self._shared, 0)
        busy = self._busy[:, 0].tolist()
        self._kept = {number: kept for number, kept in self._kept.items() if number in busy}


_libc = ctypes.CDLL(None)


def _dismiss(board: Array, busy: Array, semaphores: Array, weights: object) -> None:
    """Let the threads end, and the weights go when none of them reads any more."""
    board[ENDED] = 1
    for semaphore in semaphores[1:]:
        _libc.sem_post(_at(semaphore))
    while busy[:, 0].any():
        time.sleep(MOMENT)


def _at(array: Array) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
