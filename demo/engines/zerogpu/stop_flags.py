"""StopFlags: one byte for each run, by which a run is stopped in another process.

A worker is a fork: it has copies of this process's objects, and only shared memory shows it what changes later. Closing
the platform's generator would end it one yield later, and if the worker had been given to the next run by then, would
end that run.
"""

import mmap


class StopFlags:
    """`count` flags in anonymous memory, which forks share. Made before the first fork."""

    def __init__(self, count: int) -> None:
        self._bytes = mmap.mmap(-1, count)

    def set(self, slot: int) -> None:
        """Stop the run that has this slot. From any process."""
        self._bytes[slot] = 1

    def clear(self, slot: int) -> None:
        """Give the slot to a new run."""
        self._bytes[slot] = 0

    def is_set(self, slot: int) -> bool:
        """Whether the run that has this slot shall stop."""
        return self._bytes[slot] != 0
