"""The threads that run the forward passes of one Llama: a set of kernel threads, replaced where one has died."""

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

POLL_SECONDS: Final = 1e-4  # between two checks of a thread that has not left a pass
TGKILL: Final = 234  # the number of tgkill(2) on x86-64, which glibc wraps only since 2.30
_libc = ctypes.CDLL(None)


class ThreadPool:
    """The caller's thread and `threads` - 1 kernel threads, which sleep between passes."""

    def __init__(self, layers: Array, head: Array, weights: object, threads: int) -> None:
        """`layers` and `head` are arrays of the kernels' LAYER and HEAD, which point to `weights`."""
        self.threads = threads
        self._model = (layers, head, weights)
        self._running: KernelThreads | None = KernelThreads(*self._model, threads)

    def run(self, batch: ForwardBatch) -> None:
        """Run a pass. Raises RuntimeError where a thread has died or cannot start; the next pass starts new threads."""
        running = self._running or KernelThreads(*self._model, self.threads)
        self._running = None
        try:
            running.run(batch)
        except RuntimeError:
            running.stop()
            raise
        self._running = running


class KernelThreads:
    """Kernel threads with their control block, usable until one of them dies.

    A preempted thread may read the buffers of a pass after the pass has ended: batches and weights are kept until the
    thread has left the pass.
    """

    def __init__(self, layers: Array, head: Array, weights: object, threads: int) -> None:
        self._batches = np.zeros(SLOTS, FORWARD_BATCH)
        self._control = np.zeros((PROGRESS + 1 + threads, LINE // 8), np.int64)
        self._hazards = np.zeros((threads, LINE // 8), np.int64)
        semaphores = np.zeros((threads, LINE), np.uint8)
        self._shared = (self._batches, layers, head, self._control, self._hazards, semaphores)
        self._kept: dict[int, ForwardBatch] = {}  # by pass number
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
        self._check_threads()
        number = int(self._control[STARTED, 0]) + 1
        while number > SLOTS and number - SLOTS in self._hazards[:, 0]:
            time.sleep(POLL_SECONDS)
            self._check_threads()
        self._batches[number % SLOTS] = batch.record[0]
        self._kept[number] = batch
        finished = compute(*self._shared, 0, 0)
        while not finished:
            self._check_threads()
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

    def _check_threads(self) -> None:
        for thread in self._threads:
            if not _is_alive(thread):
                raise RuntimeError(f"{thread.name} has died, so that this step failed; the next one starts new threads")


def _is_alive(thread: Thread) -> bool:
    # Python does not notice that the system has ended a thread, or that a fork has not copied it: ask the system.
    return thread.is_alive() and _libc.syscall(TGKILL, os.getpid(), thread.native_id, 0) == 0


def _stop(
    threads: Sequence[Thread], control: Array, hazards: Array, semaphores: Array, kept: object, weights: object
) -> None:
    """End the threads. Returns when none of them reads the `kept` batches or `weights`."""
    control[STOPPED] = 1
    for semaphore in semaphores[1:]:
        _libc.sem_post(_address(semaphore))
    while any(hazards[number, 0] and _is_alive(thread) for number, thread in enumerate(threads, 1)):
        time.sleep(POLL_SECONDS)


def _address(array: Array) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
