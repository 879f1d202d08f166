"""What a Llama remembers of a sequence: keys and values in pages, which are taken one by one and never moved.

The layout of a page is the kernels' (`kernels.attention`).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from demo.engine.llama.kernels.attention import PAGE, measure_part
from demo.engine.llama.shape import Shape


class Memory:
    """The pages of one sequence, and how many tokens it has."""

    def __init__(self, shape: Shape) -> None:
        self.length = 0
        self._page_size = shape.layers * shape.kv_heads * measure_part(shape.head_size)
        self._pages: list[npt.NDArray[Any]] = []
        self.addresses = np.empty(0, np.int64)  # of the pages; another array when more have been reserved

    def reserve(self, tokens: int) -> None:
        """Take pages for so many tokens in all."""
        missing = -(-tokens // PAGE) - len(self._pages)
        if missing > 0:
            self._pages += [np.zeros(self._page_size, np.float32) for _ in range(missing)]
            self.addresses = np.array([page.ctypes.data for page in self._pages], np.int64)
