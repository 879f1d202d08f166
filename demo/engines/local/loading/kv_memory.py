"""How much memory keys and values may take."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
import torch

from demo.settings import Choice, Settings

SHARE: Final = {"cpu": 0.125, "cuda": 0.75, "mps": 0.25}  # of what is free; a CPU's memory is everybody's
LIMITS: Final = (  # of a control group, and what it uses of it: version 2, version 1
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


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
    left = [found for files in LIMITS if (found := _find_left(files)) is not None]
    return min([int(psutil.virtual_memory().available), *left])


def _find_left(files: tuple[str, str]) -> int | None:
    """What a control group may still use; None where none limits this process."""
    try:
        limit, used = (int(Path(file).read_text()) for file in files)
    except (OSError, ValueError):  # there is no such group, or its limit is "max"
        return None
    return max(limit - used, 0)
