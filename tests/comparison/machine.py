"""The machine: processor, cores, load and memory bandwidth."""

import os
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_BUFFER = 1 << 29  # bytes, more than any cache holds
_PASSES = 5


@dataclass(frozen=True, slots=True)
class Machine:
    """`load`: the load average of the minute before, where the system has one.

    `bandwidth`: bytes per second that all usable cores together read from memory.
    """

    processor: str
    cores: int
    system: str
    load: float | None
    bandwidth: float


def describe_machine() -> Machine:
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    cores = count_cores()
    return Machine(_read_processor(), cores, system, load, measure_bandwidth(cores))


def name_machine() -> str:
    """This machine as people call it: its processor, and the cores that this process may use."""
    return f"{_read_processor()} ({count_cores()} cores)"


def count_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def measure_bandwidth(threads: int, size: int = _BUFFER) -> float:
    """Bytes per second in the fastest of a few passes over a large buffer that the threads share."""
    parts = np.array_split(np.ones(size // 4, np.float32), threads)
    with ThreadPoolExecutor(threads) as pool:
        seconds = min(_time_pass(pool, parts) for _ in range(_PASSES))
    return size / seconds


def _time_pass(pool: ThreadPoolExecutor, parts: "list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]") -> float:
    begin = time.perf_counter()
    list(pool.map(np.max, parts))
    return time.perf_counter() - begin


def _read_processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
