"""Which files of a folder hold a model's weights, as transformers names them, and their size. Reads no weights."""

import json
import math
from pathlib import Path
from typing import Final

import torch
from safetensors import safe_open
from transformers.utils import SAFE_WEIGHTS_INDEX_NAME, SAFE_WEIGHTS_NAME, WEIGHTS_INDEX_NAME, WEIGHTS_NAME

# The name of one file that holds all, and of the index of several.
SAFETENSORS: Final = (SAFE_WEIGHTS_NAME, SAFE_WEIGHTS_INDEX_NAME)
PICKLED: Final = (WEIGHTS_NAME, WEIGHTS_INDEX_NAME)


def list_weight_files(folder: Path, kind: tuple[str, str] = SAFETENSORS) -> list[Path]:
    """The files that transformers would load, whether or not those that an index names are there; none without it."""
    single, index = (folder / name for name in kind)
    if single.exists():
        return [single]
    if not index.exists():
        return []
    return sorted({folder / name for name in json.loads(index.read_text("utf-8"))["weight_map"].values()})


def count_weight_bytes(folder: Path, dtype: torch.dtype) -> int:
    """Bytes of all weights in `dtype`; quantized ones as they are stored. 0 where there is no file of safetensors."""
    files = list_weight_files(folder)
    if json.loads((folder / "config.json").read_text("utf-8")).get("quantization_config"):
        return sum(path.stat().st_size for path in files)
    return sum(map(_count_numbers, files)) * dtype.itemsize


def _count_numbers(path: Path) -> int:
    with safe_open(path, "pt") as file:
        return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118 - no mapping
