"""Pages kept by content after their sequence has ended, for sequences that begin with the same tokens.

A page's key is a hash chain: of the key of the tokens before it, and of its own (vLLM's automatic prefix caching). The
first link is the sequence's salt, so that clients with different salts share nothing. The page used least recently is
dropped first.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Hashable, Sequence

import numpy as np

from demo.engines.local.common_prefix import count_common
from demo.engines.local.runners.cpu_llama.kernels.attention import PAGE
from demo.engines.local.runners.cpu_llama.kv_pages import KVCache, Page, PagePool


class PrefixCache:
    """Full pages may be shared while their sequence goes on; the last one of a sequence that has ended is copied."""

    def __init__(self, pool: PagePool) -> None:
        self._pool = pool
        self._pool.evict = self._evict
        self._children: dict[bytes, dict[tuple[int, ...], Page]] = {}  # by the key of what is before them
        self._recent: OrderedDict[bytes, Page] = OrderedDict()  # the least recently used first

    def share(self, ids: Sequence[int], cache: KVCache) -> None:
        """Let an empty `cache` begin with the full pages that are kept of `ids`, but for the last of them."""
        key, most = _hash_salt(cache.salt), len(ids) - 1
        while cache.length + PAGE <= most:
            page = self._children.get(key, {}).get(tuple(ids[cache.length : cache.length + PAGE]))
            if page is None or page.key is None:
                break
            self._pool.idle -= not page.users
            page.users += 1
            cache.append(page)
            cache.extend(page.ids)
            cache.kept += 1
            key = page.key
        self._touch(cache.pages)

    def keep_full_pages(self, cache: KVCache) -> None:
        """Note the pages of a cache that have become full."""
        while (cache.kept + 1) * PAGE <= cache.length:
            self._keep(cache, cache.kept)
            cache.kept += 1

    def keep_last_page(self, cache: KVCache) -> None:
        """Note the page of a cache that is not full. Nothing may be appended to it any more."""
        if cache.length > cache.kept * PAGE:
            self._keep(cache, cache.kept)
        self._touch(cache.pages)

    def clear(self) -> None:
        """Forget all pages."""
        while self._recent:
            self._forget(next(iter(self._recent.values())))

    def copy_start(self, ids: Sequence[int], cache: KVCache) -> None:
        """Continue a `cache` of full pages with a copy of the page that begins with the most of `ids` but the last."""
        key, ids = self._find_key(cache, len(cache.pages)), ids[cache.length : -1]
        found = max(self._children.get(key, {}).values(), key=lambda page: count_common(page.ids, ids), default=None)
        if found is None or found.key is None or not (tokens := count_common(found.ids, ids)):
            return
        self._touch([found])
        copy = self._pool.copy(found, tokens)
        if copy is not None:
            cache.append(copy)
            cache.extend(ids[:tokens])

    def _keep(self, cache: KVCache, index: int) -> None:
        page, ids = cache.pages[index], tuple(cache.ids[index * PAGE : (index + 1) * PAGE])
        parent = self._find_key(cache, index)
        siblings = self._children.setdefault(parent, {})
        if ids in siblings:
            return  # what is kept already is as good
        page.parent, page.key, page.ids = parent, _hash_ids(parent, ids), ids
        siblings[ids] = self._recent[page.key] = page

    def _touch(self, pages: Sequence[Page]) -> None:
        """Note that pages were used, those at the end least recently: without their beginning they are useless."""
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
            self._pool.drop()


def _hash_salt(salt: Hashable) -> bytes:
    return hashlib.blake2b(repr(salt).encode(), digest_size=16).digest()


def _hash_ids(parent: bytes, ids: Sequence[int]) -> bytes:
    return hashlib.blake2b(parent + np.array(ids, np.int64).tobytes(), digest_size=16).digest()
