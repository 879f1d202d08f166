"""How much memory keys and values may take."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
import torch

from demo.engines.local.loading.control_group import PROC, list_groups
from demo.settings import Choice, Settings

SHARE: Final = {"cpu": 0.125, "cuda": 0.75, "mps": 0.25}  # of what is free; a CPU's memory is everybody's
# Of a control group: its limit, and what it uses of it.
FILES: Final = (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes"))


@dataclass(frozen=True, slots=True)
class KVMemory:
    """At most so many `bytes`, in which what was read may be kept for reuse."""

    bytes: int
    keeps_prefixes: bool


def choose_kv_memory(settings: Settings, device: str) -> Choice[int]:
    """Bytes, as set or a share of what is free on the device."""
    if settings.kv_cache_memory is not None:
        return Choice("kv_cache_memory", settings.kv_cache_memory, "as set")
    kind = device.partition(":")[0]
    share = SHARE[kind]
    return Choice("kv_cache_memory", int(share * _find_free(kind, device)), f"{share:.3g} of what is free")


def _find_free(kind: str, device: str) -> int:
    if kind == "cuda" and torch.cuda.is_available():
        return int(torch.cuda.mem_get_info(device)[0])
    return min([int(psutil.virtual_memory().available), *list_left()])


def list_left(proc: Path = PROC) -> Iterator[int]:
    """Bytes that each control group of this process may still use, where it has a limit."""
    for folder in list_groups("memory", proc):
        for files in FILES:
            try:
                limit, used = (int((folder / file).read_text()) for file in files)
            except (OSError, ValueError):  # another version's files, or the limit is "max"
                continue
            yield max(limit - used, 0)
