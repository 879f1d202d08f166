"""How much memory the weights in a folder take, from the headers of its files."""

import json
import math
from pathlib import Path

import torch
from safetensors import safe_open

from demo.engines.local.loading.weight_files import list_weight_files


def count_weight_bytes(folder: Path, dtype: torch.dtype) -> int:
    """Bytes of all weights in `dtype`; quantized ones as they are stored. 0 where there is no file of safetensors."""
    files = list_weight_files(folder)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    if config.get("quantization_config"):
        return sum(path.stat().st_size for path in files)
    return sum(map(_count_numbers, files)) * dtype.itemsize


def _count_numbers(path: Path) -> int:
    with safe_open(path, "pt") as file:
        return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118 - no mapping
