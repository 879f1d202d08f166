"""Random matrices in every form in which a GGUF file holds them: blocks of random bytes with sane scales.

So no quantiser of ours is needed. What the bytes mean is for the readers to say, of which gguf's own is one.
"""

from typing import TypeAlias

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize, quantize
from numpy.typing import NDArray

Stored: TypeAlias = NDArray[np.float32] | NDArray[np.float16] | NDArray[np.uint8]

PLAIN_FORMS = ["F32", "F16", "BF16"]

# Where a block has its float16 numbers: at which byte, and how large beside the first one. A form with minima has them
# at half the values' range, so that weights lie around zero.
ONE_SCALE = ("Q4_0", "Q5_0", "Q8_0", "IQ1_S", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ4_NL", "IQ4_XS")
SCALES = {form: {0: 1.0} for form in ONE_SCALE} | {
    "Q4_1": {0: 1.0, 2: -8.0},
    "Q5_1": {0: 1.0, 2: -16.0},
    "Q2_K": {80: 1.0, 82: 1.5},
    "Q3_K": {108: 1.0},
    "Q4_K": {0: 1.0, 2: 7.5},
    "Q5_K": {0: 1.0, 2: 15.5},
    "Q6_K": {208: 1.0},
}
MXFP4 = "MXFP4"  # a block's scale is a power of two, in its first byte
FOUR_BIT_FORMS = ["Q4_0", "Q4_1", "Q4_K"]
FIVE_BIT_FORMS = ["Q5_1", "Q5_K"]
EIGHT_BIT_FORMS = ["Q8_0", "Q5_0", "IQ4_NL", MXFP4]
EXACT_FORMS = [*FOUR_BIT_FORMS, *FIVE_BIT_FORMS, *EIGHT_BIT_FORMS]
ROUNDED_FORMS = [form for form in SCALES if form not in EXACT_FORMS]  # the kernels round them to 8 bits


def make_weights(form: str, rows: int, columns: int, random: np.random.Generator) -> Stored:
    """A matrix as a file stores it, its weights spread so that a product is about as large as the vector."""
    spread = 1 / columns**0.5
    if form in PLAIN_FORMS:
        weights = random.normal(scale=spread, size=(rows, columns)).astype(np.float32)
        stored: Stored = quantize(weights, GGMLQuantizationType[form])
        return stored
    return _make_blocks(form, rows, columns, spread, random)


def _make_blocks(form: str, rows: int, columns: int, spread: float, random: np.random.Generator) -> NDArray[np.uint8]:
    weights, bytes_each = GGML_QUANT_SIZES[GGMLQuantizationType[form]]
    blocks = random.integers(256, size=(rows * columns // weights, bytes_each), dtype=np.uint8)
    _set_scales(form, blocks, np.ones(len(blocks)))
    unit = spread / dequantize(blocks, GGMLQuantizationType[form]).std()
    _set_scales(form, blocks, unit * random.uniform(0.5, 1.5, size=len(blocks)))
    return blocks.reshape(rows, -1)


def _set_scales(form: str, blocks: NDArray[np.uint8], scales: NDArray[np.float64]) -> None:
    if form == MXFP4:
        blocks[:, 0] = (128 + np.log2(scales).round()).astype(np.uint8)
        return
    for at, ratio in SCALES[form].items():
        blocks[:, at : at + 2] = (ratio * scales).astype(np.float16)[:, None].view(np.uint8)
