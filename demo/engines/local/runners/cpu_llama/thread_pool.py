"""The threads that run the forward passes of one Llama, and new ones where one has died."""

from typing import Any

import numpy.typing as npt

from demo.engines.local.runners.cpu_llama.forward_batch import ForwardBatch
from demo.engines.local.runners.cpu_llama.kernel_threads import KernelThreads

Array = npt.NDArray[Any]


class ThreadPool:
    """The caller's thread and `threads` - 1 more, which sleep between passes."""

    def __init__(self, layers: Array, head: Array, weights: object, threads: int) -> None:
        """`layers` and `head` are arrays of the kernels' LAYER and HEAD, which point to `weights`."""
        self.threads = threads
        self._model = (layers, head, weights)
        self._running: KernelThreads | None = KernelThreads(*self._model, threads)

    def run(self, batch: ForwardBatch) -> None:
        """Run a pass. Raises RuntimeError where a thread has died or none can be started; the next pass starts anew."""
        running = self._running or KernelThreads(*self._model, self.threads)
        self._running = None
        try:
            running.run(batch)
        except RuntimeError:
            running.stop()
            raise
        self._running = running
