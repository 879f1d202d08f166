"""What a Llama remembers of a sequence: keys and values in pages, which are taken one by one and never moved.

The layout of a page is the kernels' (`kernels.attention`). Pages are the system's own and go back to it at once: those
of a heap would stay, and be in many pieces.
"""

import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

from demo.engines.local.runners.cpu_llama.kernels.attention import PAGE, measure_page
from demo.engines.local.runners.cpu_llama.shape import Shape


class KVCache:
    """The pages of one sequence, and how many tokens it has."""

    def __init__(self, shape: Shape) -> None:
        self.length = 0
        self._page_size = measure_page(shape.layers, shape.kv_heads, shape.head_size)  # bytes, all 0 at first
        self._pages: list[npt.NDArray[Any]] = []
        self.addresses = np.empty(0, np.int64)  # of the pages; another array when more have been reserved

    def reserve(self, tokens: int) -> None:
        """Take pages for so many tokens in all."""
        missing = -(-tokens // PAGE) - len(self._pages)
        if missing > 0:
            self._pages += [_map(self._page_size) for _ in range(missing)]
            self.addresses = np.array([page.ctypes.data for page in self._pages], np.int64)


def _map(size: int) -> npt.NDArray[Any]:
    return np.frombuffer(mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), np.uint8)
