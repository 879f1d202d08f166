"""Compile the kernels before the first start: python -m demo.engines.local.runners.cpu_llama.kernels

With `ahead`, for processors of every level, into a folder of this package that may be copied to other machines.
"""

import sys
from typing import Any

import numba
import numpy as np

from demo.engines.local.runners.cpu_llama.kernels import digest_sources, find_missing_kernels
from demo.engines.local.runners.cpu_llama.kernels.barrier import LINE
from demo.engines.local.runners.cpu_llama.kernels.forward import FORWARD_BATCH, HEAD, LAYER, compute
from demo.engines.local.runners.cpu_llama.kernels.levels import compile_ahead


def compile_kernels() -> None:
    """Compile the one function that Python calls, and with it all others."""
    records = (np.zeros(1, kind) for kind in (FORWARD_BATCH, LAYER, HEAD))
    lines, semaphores = np.zeros((1, LINE // 8), np.int64), np.zeros((1, LINE), np.uint8)
    dispatcher: Any = compute
    dispatcher.compile(tuple(map(numba.typeof, (*records, lines, lines, semaphores, 0, 0))))


if __name__ == "__main__" and not find_missing_kernels():
    if sys.argv[1:] == ["ahead"]:
        compile_ahead(f"{__package__}.__main__", digest_sources())
    else:
        compile_kernels()
