"""Which files of a folder hold a model's weights, as transformers names them. Reads no weights."""

import json
from pathlib import Path
from typing import Final

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
