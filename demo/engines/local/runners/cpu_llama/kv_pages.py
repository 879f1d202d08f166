"""Keys and values of sequences in pages, which are taken one by one, never moved, and shared where they are equal.

The layout of a page is the kernels' (`kernels.attention`). Pages are the system's own and go back to it at once: those
of a heap would stay, and be in many pieces.
"""

import mmap
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from demo.engines.local.runners.cpu_llama.kernels.attention import PAGE, measure_page
from demo.engines.local.runners.cpu_llama.kernels.simd import LANES
from demo.engines.local.runners.cpu_llama.shape import Shape

Numbers = npt.NDArray[Any]


class Page:
    """Keys and values of up to PAGE tokens. It is in use while it has `users`."""

    __slots__ = ("ids", "key", "numbers", "parent", "users")

    def __init__(self, numbers: Numbers) -> None:
        self.numbers = numbers
        self.users = 1
        self.parent: bytes | None = None  # the key of the tokens before it, once it is kept for reuse
        self.key: bytes | None = None  # of the tokens up to its end
        self.ids: tuple[int, ...] = ()


class PagePool:
    """At most so many pages as fit into `budget` bytes. `evict` frees one that nobody uses, or says that none is."""

    def __init__(self, shape: Shape, budget: int) -> None:
        self.parts = shape.layers * shape.kv_heads
        self.head_size = shape.head_size
        self.page_bytes = measure_page(shape.layers, shape.kv_heads, shape.head_size)
        self.most = max(budget // self.page_bytes, 1)
        self.count = 0
        self.idle = 0  # pages that nobody uses and a cache keeps
        self.evict: Callable[[], bool] = lambda: False

    @property
    def capacity(self) -> int:
        """Tokens of all sequences together."""
        return self.most * PAGE

    def has_room(self, pages: int) -> bool:
        """Whether so many can be taken."""
        return pages <= self.most - self.count + self.idle

    def take(self) -> Page | None:
        """A page of zeros; None where there is no room for it."""
        if self.count >= self.most and not self.evict():
            return None
        area = mmap.mmap(-1, self.page_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.count += 1
        return Page(np.frombuffer(area, np.float16))

    def drop(self) -> None:
        """Count a page as given back: the system has it when nothing refers to it."""
        self.count -= 1

    def copy(self, page: Page, tokens: int) -> Page | None:
        """A page with the first `tokens` of another, and zeros; None where there is no room for it."""
        if (copy := self.take()) is None:
            return None
        copy.numbers[:] = page.numbers
        parts = copy.numbers.reshape(self.parts, -1)
        keys = parts[:, : PAGE * self.head_size].reshape(self.parts, PAGE // LANES, self.head_size, LANES)
        values = parts[:, PAGE * self.head_size :].reshape(self.parts, -1, PAGE, LANES)
        # What other tokens left there may be NaN, which a weight of zero does not hide.
        keys[:, tokens // LANES : tokens // LANES + 1, :, tokens % LANES :] = 0
        keys[:, tokens // LANES + 1 :] = 0
        values[:, :, tokens:] = 0
        return copy


class KVCache:
    """A sequence's handle: its pages, and how many tokens are held."""

    def __init__(self, pool: PagePool, salt: Hashable = None) -> None:
        self.length = 0
        self.ids: list[int] = []  # of the tokens that are held
        self.salt = salt
        self.pages: list[Page] = []
        self.addresses = np.empty(0, np.int64)  # of the pages; another array when there are more
        self.kept = 0  # pages that are known to the prefix cache
        self._pool = pool

    def reserve(self, tokens: int) -> bool:
        """Take pages for so many tokens in all; False where there are not enough."""
        while len(self.pages) * PAGE < tokens:
            if (page := self._pool.take()) is None:
                return False
            self.append(page)
        return True

    def extend(self, ids: Sequence[int]) -> None:
        """Count tokens whose keys and values have been computed."""
        self.ids += ids
        self.length += len(ids)

    def append(self, page: Page) -> None:
        """Continue in this page, of which the caller has become a user."""
        self.pages.append(page)
        self.addresses = np.append(self.addresses, page.numbers.ctypes.data)

    def release(self) -> None:
        """Give up the pages: those that nobody uses and no cache keeps go back to the system."""
        for page in self.pages:
            page.users -= 1
            if not page.users and page.key is None:
                self._pool.drop()
            elif not page.users:
                self._pool.idle += 1
        self.pages, self.addresses, self.length, self.ids = [], np.empty(0, np.int64), 0, []


def count_pages(tokens: int) -> int:
    """Pages for so many tokens."""
    return -(-tokens // PAGE)
