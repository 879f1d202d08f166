"""Captures a computation as a CUDA graph, which is launched as a whole on the same memory. Knows no model."""

from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

import torch

from demo.engines.local.runners.transformers.cuda_graphs.torch_private import PoolHandle, end_allocation

T = TypeVar("T")

# Failed captures. torch's allocator of pinned memory keeps a pointer to each of them, so they must not be freed.
_FAILED: Final[list[torch.cuda.CUDAGraph]] = []


class GraphCapturer:
    """Captures computations whose inputs and outputs have fixed addresses, as CUDA graphs that share a memory pool."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle() if device.type == "cuda" else None

    def capture(self, compute: Callable[[], T]) -> Callable[[], T]:
        """Run and capture `compute`. Each launch returns the same tensors with new values, valid until the next launch.

        Raises the error of `compute`, and RuntimeError where it cannot be captured; stream and allocator are restored
        then. On a CPU it returns the computation itself.
        """
        if self._pool is None:
            return compute
        # torch leaves the stream of a failed capture current; the second context makes this one current again.
        with torch.cuda.device(self._device), torch.cuda.stream(torch.cuda.current_stream(self._device)):
            # Libraries initialise at the first call, which a graph must not contain; torch asks for a side stream.
            side = torch.cuda.Stream(self._device)
            side.wait_stream(torch.cuda.current_stream(self._device))
            with torch.cuda.stream(side):
                compute()
            torch.cuda.current_stream(self._device).wait_stream(side)
            return _capture_graph(compute, self._pool)


def _capture_graph(compute: Callable[[], T], pool: PoolHandle) -> Callable[[], T]:
    graph, cause = torch.cuda.CUDAGraph(), list[Exception]()
    try:
        # "thread_local": operations of other threads are neither captured nor an error.
        with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
            try:
                result = compute()
            except Exception as error:
                cause.append(error)  # the end of a failed capture raises another error, with less information
                raise
    except Exception as error:
        _FAILED.append(graph)
        # torch 2.8 to 2.11 leave the allocator in the failed capture: `empty_cache` would assert. Later ones end it.
        with suppress(RuntimeError):
            end_allocation(pool)
        raise (cause or [error])[0] from None

    def replay() -> T:
        graph.replay()
        return result

    return replay
