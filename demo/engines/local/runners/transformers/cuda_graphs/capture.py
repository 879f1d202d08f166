"""One computation as a CUDA graph: launched as a whole, with the same memory every time. Knows no model."""

from collections.abc import Callable
from typing import TypeVar

import torch

T = TypeVar("T")


class GraphCapturer:
    """Records computations whose inputs and outputs stay where they are; all share what memory they need between."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle() if device.type == "cuda" else None

    def record(self, compute: Callable[[], T]) -> Callable[[], T]:
        """`compute` as a graph, run twice to record it: what it gives is always the same tensors, with new values.

        On a CPU, which has no graphs, `compute` itself.
        Raises RuntimeError where it does what no graph can hold, as waiting for a result.
        """
        if self._device.type != "cuda":
            return compute
        self._warm_up(compute)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(self._device), torch.cuda.graph(graph, pool=self._pool):
            result = compute()

        def replay() -> T:
            graph.replay()
            return result

        return replay

    def _warm_up(self, compute: Callable[[], object]) -> None:
        # Libraries set themselves up at a first call, which a graph must not hold; beside the default stream, as asked.
        beside = torch.cuda.Stream(self._device)
        beside.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(beside):
            compute()
        torch.cuda.current_stream(self._device).wait_stream(beside)
