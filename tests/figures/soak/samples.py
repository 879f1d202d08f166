"""Memory, threads and open files of a process over time, and how much they grew. Knows no server."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import psutil

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Sample:
    """What a process used at a moment, in seconds since the start of the soak."""

    at: float
    memory: float  # MiB resident
    threads: int
    files: int


def take_sample(process: psutil.Process, begin: float) -> Sample:
    with process.oneshot():
        memory = process.memory_info().rss / MIB
        return Sample(time.monotonic() - begin, memory, process.num_threads(), process.num_fds())


def compute_growth(samples: Sequence[Sample], settled: float, window: float) -> float:
    """Per cent by which memory grew: the median of the last `window` seconds over that of those after `settled`."""
    end = samples[-1].at
    first = [each.memory for each in samples if settled <= each.at <= settled + window]
    last = [each.memory for each in samples if each.at >= end - window]
    return 100 * (median(last) / median(first) - 1)
