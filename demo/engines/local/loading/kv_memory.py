"""How much memory the KV cache may take."""

from dataclasses import dataclass
from typing import Final

from demo.choice import Choice
from demo.engines.local.loading.free_memory import find_free
from demo.settings import Settings

SHARE: Final = {"cpu": 0.125, "cuda": 0.75, "mps": 0.25}  # of the free memory, which a CPU shares with all programs


@dataclass(frozen=True, slots=True)
class KVMemory:
    """At most so many `bytes`; with `keeps_prefixes`, keys and values of ended sequences are kept for reuse."""

    bytes: int
    keeps_prefixes: bool


def choose_kv_memory(settings: Settings, device: str) -> Choice[int]:
    """In bytes: as set, or a share of the device's free memory."""
    if settings.kv_cache_memory is not None:
        return Choice("kv_cache_memory", settings.kv_cache_memory, "as set")
    share = SHARE[device.partition(":")[0]]
    return Choice("kv_cache_memory", int(share * find_free(device)), f"{share:.3g} of what is free")
