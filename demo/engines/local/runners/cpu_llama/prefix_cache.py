"""Automatic prefix caching (as vLLM's): pages by content, for sequences that begin with the same tokens.

A page's key is a hash chain: of the key of the page before it, and of its own tokens. The first link is the sequence's
salt: clients with different salts share nothing. Eviction is least recently used first.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence

import numpy as np

from demo.engines.local.common_prefix import count_common
from demo.engines.local.runners.cpu_llama.kernels.attention import PAGE
from demo.engines.local.runners.cpu_llama.kv_pages import KVCache, Page, PagePool


class PrefixCache:
    """Full pages are shared while their sequence runs; the partial page of a sequence that has ended is copied."""

    def __init__(self, pool: PagePool, is_enabled: bool) -> None:
        """Keeps nothing unless `is_enabled`."""
        self._pool = pool
        self._is_enabled = is_enabled
        self._pool.evict = self._evict
        self._children: dict[bytes, dict[tuple[int, ...], Page]] = {}  # by the key of the page before, then by tokens
        self._recent: OrderedDict[bytes, Page] = OrderedDict()  # the least recently used first

    def share(self, ids: Sequence[int], cache: KVCache) -> None:
        """Give an empty `cache` the full pages that begin `ids`; the last id is always left to be computed."""
        for page in self._find_full_pages(ids, cache.salt):
            self._pool.idle -= not page.users
            page.users += 1
            cache.append(page)
            cache.extend(page.ids)
            cache.kept += 1
        self._touch(cache.pages)

    def count(self, ids: Sequence[int], salt: Hashable) -> int:
        """How many of `ids` the full pages hold that `share` would find. From any thread."""
        return PAGE * sum(1 for _ in self._find_full_pages(ids, salt))

    def _find_full_pages(self, ids: Sequence[int], salt: Hashable) -> Iterator[Page]:
        key = _hash_salt(salt)
        for start in range(0, len(ids) - PAGE, PAGE):
            page = self._children.get(key, {}).get(tuple(ids[start : start + PAGE]))
            if page is None or (found := page.key) is None:
                return
            key = found
            yield page

    def keep_full_pages(self, cache: KVCache) -> None:
        """Register the pages of a cache that have become full."""
        while self._is_enabled and (cache.kept + 1) * PAGE <= cache.length:
            self._keep(cache, cache.kept)
            cache.kept += 1

    def keep_last_page(self, cache: KVCache) -> None:
        """Register the partial page of a cache. The caller appends nothing to it afterwards."""
        if self._is_enabled and cache.length > cache.kept * PAGE:
            self._keep(cache, cache.kept)
        self._touch(cache.pages)

    def clear(self) -> None:
        while self._recent:
            self._forget(next(iter(self._recent.values())))

    def copy_start(self, ids: Sequence[int], cache: KVCache) -> None:
        """Add to a `cache` of full pages a copy of the page that has most of the next `ids`, the last one excluded."""
        key, ids = self._find_key(cache, len(cache.pages)), ids[cache.length : -1]
        found = max(self._children.get(key, {}).values(), key=lambda page: count_common(page.ids, ids), default=None)
        if found is None or found.key is None or not (tokens := count_common(found.ids, ids)):
            return
        self._touch([found])
        if (copy := self._pool.copy(found)) is not None:
            cache.append(copy)
            cache.extend(ids[:tokens])

    def _keep(self, cache: KVCache, index: int) -> None:
        page, ids = cache.pages[index], tuple(cache.ids[index * PAGE : (index + 1) * PAGE])
        parent = self._find_key(cache, index)
        siblings = self._children.setdefault(parent, {})
        if ids in siblings:
            return  # a page with the same content is registered
        page.parent, page.key, page.ids = parent, _hash_ids(parent, ids), ids
        siblings[ids] = self._recent[page.key] = page

    def _touch(self, pages: Sequence[Page]) -> None:
        """Mark pages as used, the last ones least recently: they are useless without those before them."""
        for page in reversed(pages):
            if page.key is not None:
                self._recent.move_to_end(page.key)

    def _find_key(self, cache: KVCache, index: int) -> bytes:
        """The key of all tokens before a page."""
        key = _hash_salt(cache.salt)
        for number in range(index):
            key = cache.pages[number].key or _hash_ids(key, cache.ids[number * PAGE : (number + 1) * PAGE])
        return key

    def _evict(self) -> bool:
        page = next((page for page in self._recent.values() if not page.users), None)
        if page is not None:
            self._forget(page)
        return page is not None

    def _forget(self, page: Page) -> None:
        assert page.parent is not None
        assert page.key is not None
        del self._recent[page.key]
        siblings = self._children[page.parent]
        del siblings[page.ids]
        if not siblings:
            del self._children[page.parent]
        page.parent = page.key = None
        if not page.users:
            self._pool.idle -= 1
            self._pool.count -= 1


def _hash_salt(salt: Hashable) -> bytes:
    return hashlib.blake2b(repr(salt).encode(), digest_size=16).digest()


def _hash_ids(parent: bytes, ids: Sequence[int]) -> bytes:
    return hashlib.blake2b(parent + np.array(ids, np.int64).tobytes(), digest_size=16).digest()
