"""One set of kernel threads with their control block. It stays usable until one of them dies."""

import ctypes
import os
import time
import weakref
from collections.abc import Sequence
from threading import Thread
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from demo.engines.local.runners.cpu_llama.forward_batch import ForwardBatch
from demo.engines.local.runners.cpu_llama.kernels.barrier import LINE
from demo.engines.local.runners.cpu_llama.kernels.forward import (
    FORWARD_BATCH,
    PROGRESS,
    SLOTS,
    STARTED,
    STOPPED,
    compute,
)

Array = npt.NDArray[Any]

PAUSE: Final = 1e-4  # seconds between two looks at a thread that is in the way
TGKILL: Final = 234  # the number of tgkill(2) on x86-64, which glibc wraps only since 2.30
_libc = ctypes.CDLL(None)


class KernelThreads:
    """A preempted thread may read of a pass after its end: batches and weights are kept until it is out of it."""

    def __init__(self, layers: Array, head: Array, weights: object, threads: int) -> None:
        self._batches = np.zeros(SLOTS, FORWARD_BATCH)
        self._control = np.zeros((PROGRESS + 1 + threads, LINE // 8), np.int64)
        self._hazards = np.zeros((threads, LINE // 8), np.int64)
        semaphores = np.zeros((threads, LINE), np.uint8)
        self._shared = (self._batches, layers, head, self._control, self._hazards, semaphores)
        self._kept: dict[int, ForwardBatch] = {}  # by the numbers of their passes
        self._threads: list[Thread] = []
        self.stop = weakref.finalize(
            self, _stop, self._threads, self._control, self._hazards, semaphores, self._kept, weights
        )
        try:
            for number in range(1, threads):
                _libc.sem_init(_address(semaphores[number]), 0, 0)
                self._start(number)
        except RuntimeError:
            self.stop()
            raise

    def run(self, batch: ForwardBatch) -> None:
        """Run a pass. Raises RuntimeError where a thread has died."""
        self._check()
        number = int(self._control[STARTED, 0]) + 1
        while number > SLOTS and number - SLOTS in self._hazards[:, 0]:
            time.sleep(PAUSE)
            self._check()
        self._batches[number % SLOTS] = batch.record[0]
        self._kept[number] = batch
        finished = compute(*self._shared, 0, 0)
        while not finished:
            self._check()
            finished = compute(*self._shared, 0, 1)
        read = self._hazards[:, 0].tolist()
        for number in [number for number in self._kept if number not in read]:
            del self._kept[number]

    def _start(self, number: int) -> None:
        thread = Thread(target=compute, args=(*self._shared, number, 0), name=f"kernel thread {number}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            raise RuntimeError(f"{thread.name} could not be started: {error}") from error
        self._threads.append(thread)

    def _check(self) -> None:
        for thread in self._threads:
            if not _is_alive(thread):
                raise RuntimeError(f"{thread.name} has died, so that this step failed; the next one starts new threads")


def _is_alive(thread: Thread) -> bool:
    """Python does not notice that the system has ended a thread, or that a fork has left it behind: ask the system."""
    return thread.is_alive() and _libc.syscall(TGKILL, os.getpid(), thread.native_id, 0) == 0


def _stop(
    threads: Sequence[Thread], control: Array, hazards: Array, semaphores: Array, kept: object, weights: object
) -> None:
    """End the threads. Returns when none of them reads `kept` batches or `weights` any more."""
    control[STOPPED] = 1
    for semaphore in semaphores[1:]:
        _libc.sem_post(_address(semaphore))
    while any(hazards[number, 0] and _is_alive(thread) for number, thread in enumerate(threads, 1)):
        time.sleep(PAUSE)


def _address(array: Array) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
