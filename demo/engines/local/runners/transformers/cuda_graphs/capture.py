"""One computation as a CUDA graph: launched as a whole, with the same memory every time. Knows no model."""

from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol, TypeVar

import torch

from demo.engines.local.runners.transformers.cuda_graphs.torch_private import PoolHandle, end_allocation

T = TypeVar("T")

# Failed captures. torch keeps a pointer to each for its pinned memory, which has no way to be told that it ended.
_FAILED: Final[list[torch.cuda.CUDAGraph]] = []


class Capturer(Protocol):
    """Captures computations whose inputs and outputs stay where they are."""

    def capture(self, compute: Callable[[], T]) -> Callable[[], T]:
        """`compute`, to be launched as a whole. Raises what `compute` raises, and RuntimeError where it can't be held.

        It is run to be captured. Each launch gives the same tensors with new values, valid until the next launch.
        """


class GraphCapturer:
    """Captures CUDA graphs, which share what memory they need between launches. On a CPU a computation stays itself."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle() if device.type == "cuda" else None

    def capture(self, compute: Callable[[], T]) -> Callable[[], T]:
        """`compute` as a graph. Where that fails, stream and allocator are as before."""
        if self._pool is None:
            return compute
        # torch leaves the stream of a failed capture current; the second context makes this one current again.
        with torch.cuda.device(self._device), torch.cuda.stream(torch.cuda.current_stream(self._device)):
            self._warm_up(compute)
            return _capture_graph(compute, self._pool)

    def _warm_up(self, compute: Callable[[], object]) -> None:
        # Libraries set themselves up at a first call, which a graph must not hold; beside the default stream, as asked.
        side = torch.cuda.Stream(self._device)
        side.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(side):
            compute()
        torch.cuda.current_stream(self._device).wait_stream(side)


def _capture_graph(compute: Callable[[], T], pool: PoolHandle) -> Callable[[], T]:
    graph, cause = torch.cuda.CUDAGraph(), list[Exception]()
    try:
        # Other threads may use the device meanwhile: what they do is not part of the graph, nor an error in it.
        with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
            try:
                result = compute()
            except Exception as error:
                cause.append(error)  # the end of a broken capture raises another one, which says less
                raise
    except Exception as error:
        _abandon(graph, pool)
        raise (cause or [error])[0] from None

    def replay() -> T:
        graph.replay()
        return result

    return replay


def _abandon(graph: torch.cuda.CUDAGraph, pool: PoolHandle) -> None:
    # torch 2.8 to 2.11 leave the allocator in the capture that failed: `empty_cache` would assert from then on.
    _FAILED.append(graph)
    with suppress(RuntimeError):  # later versions have ended it
        end_allocation(pool)
