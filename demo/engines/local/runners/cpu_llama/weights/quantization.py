"""The forms in which GGML stores numbers: how many bytes hold how many, and what float32 they are."""

from typing import Final

import torch
from torch import Tensor

# GGML's number and name of a form; how many values it packs into a block, and into how many bytes.
FORMS: Final = (
    (0, "F32", 1, 4),
    (1, "F16", 1, 2),
    (30, "BF16", 1, 2),
    (2, "Q4_0", 32, 18),
    (3, "Q4_1", 32, 20),
    (8, "Q8_0", 32, 34),
    (10, "Q2_K", 256, 84),
    (11, "Q3_K", 256, 110),
    (12, "Q4_K", 256, 144),
    (13, "Q5_K", 256, 176),
    (14, "Q6_K", 256, 210),
    (16, "IQ2_XXS", 256, 66),
    (17, "IQ2_XS", 256, 74),
    (18, "IQ3_XXS", 256, 98),
    (19, "IQ1_S", 256, 50),
    (20, "IQ4_NL", 32, 18),
    (21, "IQ3_S", 256, 110),
    (22, "IQ2_S", 256, 82),
    (23, "IQ4_XS", 256, 136),
    (29, "IQ1_M", 256, 56),
)
NAMES: Final = {kind: name for kind, name, _, _ in FORMS}
BLOCKS: Final = {kind: (values, size) for kind, _, values, size in FORMS}
PLAIN: Final = {0: torch.float32, 1: torch.float16, 30: torch.bfloat16}  # what packs nothing
Q8_0: Final = 8


def unpack(stored: Tensor, kind: int) -> Tensor:
    """float32 [rows, columns] of stored rows: bytes where they are packed in blocks."""
    if kind in PLAIN:
        return stored.float()
    values, size = BLOCKS[kind]
    return _dequantize(stored.reshape(-1, size), kind).view(len(stored), stored.shape[1] // size * values)


def _dequantize(blocks: Tensor, kind: int) -> Tensor:
    if kind == Q8_0:  # w = d · q
        return blocks[:, :2].view(torch.float16).float() * blocks[:, 2:].view(torch.int8)
    # Here, since it takes a second that the usual forms do without.
    from transformers.integrations.gguf.dequant import dequantize

    return dequantize(blocks, kind)
