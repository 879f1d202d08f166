"""KV cache in pages: a sequence takes them one by one; they never move; sequences share those with equal content.

`kernels.attention` defines the layout of a page. Pages are mapped from the system and returned to it at once, since a
heap would keep and fragment them.
"""

import mmap
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from demo.engines.local.runners.cpu_llama.kernels.attention import PAGE, measure_page
from demo.engines.local.runners.cpu_llama.shape import Shape


@dataclass(slots=True, eq=False)
class Page:
    """Keys and values of up to PAGE tokens. It is in use while it has `users`."""

    numbers: npt.NDArray[Any]
    users: int = 1
    parent: bytes | None = None  # the key of the tokens before it, once it is kept for reuse
    key: bytes | None = None  # of the tokens up to its end
    ids: tuple[int, ...] = ()


class PagePool:
    """As many pages as fit into `budget` bytes. `evict` frees an unused one, or returns False where there is none."""

    def __init__(self, shape: Shape, budget: int) -> None:
        self.page_bytes = measure_page(shape.layers, shape.kv_heads, shape.head_size)
        self.most = max(budget // self.page_bytes, 1)
        self.count = 0  # those in memory: a page is unmapped with the last reference to it
        self.idle = 0  # pages without users that a cache keeps
        self.evict: Callable[[], bool] = lambda: False

    def has_room(self, pages: int) -> bool:
        """Whether so many pages can be taken."""
        return pages <= self.most - self.count + self.idle

    def take(self) -> Page | None:
        """A page of zeros; None where the budget is used up."""
        if self.count >= self.most and not self.evict():
            return None
        area = mmap.mmap(-1, self.page_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.count += 1
        return Page(np.frombuffer(area, np.float16))

    def copy(self, page: Page) -> Page | None:
        """Another page with the same content, of which attention reads no more tokens than a sequence has; or None."""
        if (copy := self.take()) is not None:
            copy.numbers[:] = page.numbers
        return copy


class KVCache:
    """A sequence's handle: its pages, and how many tokens are held."""

    def __init__(self, pool: PagePool, salt: Hashable = None) -> None:
        self.length = 0
        self.ids: list[int] = []  # of the tokens that are held
        self.salt = salt
        self.pages: list[Page] = []
        self.addresses = np.empty(0, np.int64)  # of the pages; replaced when a page is added
        self.kept = 0  # pages that the prefix cache has been given
        self._pool = pool

    def reserve(self, tokens: int) -> bool:
        """Take pages until there is room for so many tokens in all; False where the pool has too few."""
        while len(self.pages) * PAGE < tokens:
            if (page := self._pool.take()) is None:
                return False
            self.append(page)
        return True

    def extend(self, ids: Sequence[int]) -> None:
        """Count tokens whose keys and values are in the pages."""
        self.ids += ids
        self.length += len(ids)

    def append(self, page: Page) -> None:
        """Add a page; the caller has counted its new user."""
        self.pages.append(page)
        self.addresses = np.append(self.addresses, page.numbers.ctypes.data)

    def release(self) -> None:
        """Release the pages: those without a user that no cache keeps are unmapped."""
        for page in self.pages:
            page.users -= 1
            if not page.users and page.key is None:
                self._pool.count -= 1
            elif not page.users:
                self._pool.idle += 1
        self.pages, self.addresses, self.length, self.ids = [], np.empty(0, np.int64), 0, []
