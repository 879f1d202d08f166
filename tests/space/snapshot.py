"""A stand-in for what `preload_from_hub` downloads: the embedded model in bfloat16, as the hub's cache has it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from demo.engines.local.loading.conversion import convert_once
from tests.comparison.systems.requantize import require_embedded
from tests.tools.hub_cache import make_snapshot


def write_snapshot(hub: Path, model_id: str, files: Sequence[str]) -> None:
    """The named files of the model, as huggingface_hub lays them out below `hub`."""
    converted, folder = convert_once(require_embedded(), print), make_snapshot(hub, model_id)
    for name in files:
        _write_file(name, converted, folder / name)


def _write_file(name: str, converted: Path, path: Path) -> None:
    if name.endswith(".safetensors"):
        tensors = {key: tensor.to(torch.bfloat16) for key, tensor in load_file(converted / name).items()}
        save_file(tensors, path, {"format": "pt"})
        return
    value: dict[str, Any] = json.loads((converted / name).read_text("utf-8"))
    if name == "config.json":
        value["dtype"] = "bfloat16"
    elif name == "tokenizer_config.json":  # as the model's own repository has it
        value["chat_template"] = (converted / "chat_template.jinja").read_text("utf-8")
    path.write_text(json.dumps(value), "utf-8")
