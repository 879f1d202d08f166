"""The free memory of a device: whether weights fit into it, the KV cache's share, and what this process frees."""

import ctypes
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
import torch

from demo.choice import Choice
from demo.engines.local.loading.control_group import PROC, list_groups
from demo.errors import ModelError
from demo.settings import Settings

KV_SHARE: Final = {"cpu": 0.125, "cuda": 0.75, "mps": 0.25}  # of the free memory, which a CPU shares with all programs
# A control group's limit, and its usage.
FILES: Final = (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes"))


def find_free(device: str) -> int:
    """In bytes: of one GPU, or of the system within the limits of this process."""
    if device.startswith("cuda") and torch.cuda.is_available():
        return int(torch.cuda.mem_get_info(device)[0])
    return min([int(psutil.virtual_memory().available), *list_left()])


def list_left(proc: Path = PROC) -> Iterator[int]:
    """The free bytes of each control group of this process that has a limit."""
    for folder in list_groups("memory", proc):
        for files in FILES:
            try:
                limit, used = (int((folder / file).read_text()) for file in files)
            except (OSError, ValueError):  # another version's files, or the limit is "max"
                continue
            yield max(limit - used, 0)


def check_fits(model_id: str, size: int, dtype: str, device: str) -> None:
    """Raise ModelError where weights of `size` bytes are more than what is free on the device, or on all GPUs."""
    free = find_free(device)
    if device == "cuda":  # accelerate places what one GPU cannot hold on the next
        free = sum(find_free(f"cuda:{index}") for index in range(torch.cuda.device_count()))
    if size > free:
        raise ModelError(
            f"{model_id} takes {size / 1e9:.3g} GB in {dtype}, and {free / 1e9:.3g} GB are free on {device}: give a "
            "smaller model, or a --dtype of fewer bits."
        )


@dataclass(frozen=True, slots=True)
class KVMemory:
    """At most so many `bytes`; with `keeps_prefixes`, keys and values of ended sequences are kept for reuse."""

    bytes: int
    keeps_prefixes: bool


def choose_kv_memory(settings: Settings, device: str) -> Choice[int]:
    """In bytes: as set, or a share of the device's free memory."""
    if settings.kv_cache_memory is not None:
        return Choice("kv_cache_memory", settings.kv_cache_memory, "as set")
    share = KV_SHARE[device.partition(":")[0]]
    return Choice("kv_cache_memory", int(share * find_free(device)), f"{share:.3g} of what is free")


def return_freed() -> None:
    """Return to the system what this process has freed: glibc would keep it, 75 MB after loading the embedded model."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)
