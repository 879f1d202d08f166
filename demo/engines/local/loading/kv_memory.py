"""How much memory the KV cache may take."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
import torch

from demo.choice import Choice
from demo.engines.local.loading.control_group import PROC, list_groups
from demo.settings import Settings

SHARE: Final = {"cpu": 0.125, "cuda": 0.75, "mps": 0.25}  # of the free memory, which a CPU shares with all programs
# A control group's limit, and its usage.
FILES: Final = (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes"))


@dataclass(frozen=True, slots=True)
class KVMemory:
    """At most so many `bytes`; with `keeps_prefixes`, keys and values of ended sequences are kept for reuse."""

    bytes: int
    keeps_prefixes: bool


def choose_kv_memory(settings: Settings, device: str) -> Choice[int]:
    """In bytes: as set, or a share of the device's free memory."""
    if settings.kv_cache_memory is not None:
        return Choice("kv_cache_memory", settings.kv_cache_memory, "as set")
    kind = device.partition(":")[0]
    if kind == "cuda" and torch.cuda.is_available():
        free = int(torch.cuda.mem_get_info(device)[0])
    else:
        free = min([int(psutil.virtual_memory().available), *list_left()])
    return Choice("kv_cache_memory", int(SHARE[kind] * free), f"{SHARE[kind]:.3g} of what is free")


def list_left(proc: Path = PROC) -> Iterator[int]:
    """The free bytes of each control group of this process that has a limit."""
    for folder in list_groups("memory", proc):
        for files in FILES:
            try:
                limit, used = (int((folder / file).read_text()) for file in files)
            except (OSError, ValueError):  # another version's files, or the limit is "max"
                continue
            yield max(limit - used, 0)
