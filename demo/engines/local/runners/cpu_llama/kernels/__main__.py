"""Compile the kernels before the first start: python -m demo.engines.local.runners.cpu_llama.kernels"""

from typing import Any

import numba
import numpy as np

from demo.engines.local.runners.cpu_llama.kernels import find_missing_kernels
from demo.engines.local.runners.cpu_llama.kernels.barrier import LINE
from demo.engines.local.runners.cpu_llama.kernels.forward import FORWARD_BATCH, HEAD, LAYER, compute

if not find_missing_kernels():
    records = (np.zeros(1, kind) for kind in (FORWARD_BATCH, LAYER, HEAD))
    lines, semaphores = np.zeros((1, LINE // 8), np.int64), np.zeros((1, LINE), np.uint8)
    dispatcher: Any = compute
    dispatcher.compile(tuple(map(numba.typeof, (*records, lines, lines, semaphores, 0, 0))))
