"""GGML's quantization types for torch; the `gguf` package reads their blocks."""

from functools import cache
from typing import Final

import numpy as np
import torch
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, dequantize
from torch import Tensor

PLAIN: Final = {
    GGMLQuantizationType.F32: torch.float32,
    GGMLQuantizationType.F16: torch.float16,
    GGMLQuantizationType.BF16: torch.bfloat16,
}


@cache
def is_readable(quantization: GGMLQuantizationType) -> bool:
    """Whether `unpack` has a way to read it: integers, and types that only activations have, are not."""
    try:
        dequantize(np.zeros(GGML_QUANT_SIZES[quantization][1], np.uint8), quantization)
    except NotImplementedError:
        return False
    return True


def unpack(stored: Tensor, quantization: GGMLQuantizationType) -> Tensor:
    """float32 [rows, columns] of stored rows: bytes, unless the type is a plain one."""
    if quantization in PLAIN:
        return stored.float()
    return torch.from_numpy(dequantize(stored.numpy(), quantization))
