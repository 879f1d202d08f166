"""KV caches of ended sequences, for sequences of the same salt that begin with the same tokens."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final

from demo.engines.local.common_prefix import count_common
from demo.engines.local.runners.transformers.padded_kv import RowsCache

MIN_REUSED: Final = 16  # tokens; copying fewer saves no time


@dataclass(frozen=True, slots=True)
class _Kept:
    ids: tuple[int, ...]
    salt: Hashable
    cache: RowsCache


class PrefixStore:
    """Holds at most `capacity` tokens. Eviction is least recently used first."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._kept: list[_Kept] = []  # the least recently used first

    def find(self, ids: Sequence[int], salt: Hashable) -> tuple[RowsCache, int] | None:
        """The cache with the longest common prefix with `ids`, the last id excluded, and that prefix's length."""
        counts = [count_common(kept.ids, ids[:-1]) if kept.salt == salt else 0 for kept in self._kept]
        if max(counts, default=0) < MIN_REUSED:
            return None
        best = counts.index(max(counts))
        self._kept.append(self._kept.pop(best))
        return self._kept[-1].cache, counts[best]

    def count(self, ids: Sequence[int], salt: Hashable) -> int:
        """The length of the prefix that `find` would find. From any thread."""
        counts = [count_common(kept.ids, ids[:-1]) for kept in tuple(self._kept) if kept.salt == salt]
        return most if (most := max(counts, default=0)) >= MIN_REUSED else 0

    def keep(self, ids: Sequence[int], salt: Hashable, cache: RowsCache) -> None:
        """Take over the cache of a sequence; caches of its prefixes are dropped."""
        kept = _Kept(tuple(ids[: cache.get_seq_length()]), salt, cache)
        self._kept = [each for each in self._kept if each.salt != salt or kept.ids[: len(each.ids)] != each.ids]
        if len(kept.ids) >= MIN_REUSED:
            self._kept.append(kept)
        self.shrink(self._capacity)

    def shrink(self, tokens: int) -> None:
        """Drop caches until at most so many tokens are held."""
        while self._kept and sum(len(kept.ids) for kept in self._kept) > min(tokens, self._capacity):
            self._kept.pop(0)

    def clear(self) -> None:
        self._kept = []
