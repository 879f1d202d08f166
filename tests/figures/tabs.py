"""Many tabs of one process that click Generate together: the first update, and the server's memory; without browsers.

`python -m tests.figures.tabs [TABS …]` measures these alone. The engine answers at once; the client is
another process on the same cores.
"""

import asyncio
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Final
from urllib.parse import urlsplit

from demo.metrics import percentile
from demo.ui.view.options import REAL_SPEED
from tests.comparison.systems.process import Process, start_server
from tests.figures.figure import Figure
from tests.figures.tab import Marks, Tab, read_config

TABS: Final = (100, 300, 500)
OPENING: Final = 10  # tabs that are opened at once
MIB: Final = 2**20


def measure_tabs(counts: Sequence[int] = TABS) -> Iterator[Figure]:
    """For each number of tabs, in a process of its own."""
    for count in counts:
        with start_page() as (process, url):
            marks = asyncio.run(_click_together(url, count))
            memory = (process.read_peak() or 0) / MIB
        name = f"{count} tabs that click together"
        yield _summarise(f"{name}: first text", [mark.text for mark in marks])
        yield _summarise(f"{name}: the whole text", [mark.whole for mark in marks])
        yield _summarise(f"{name}: the charts", [mark.end for mark in marks])
        errors = [error for mark in marks for error in mark.errors]
        yield Figure(f"{name}: errors", "", len(errors), len(errors), len(errors), count)
        yield Figure(f"{name}: the server's memory, at most", "MiB", memory, memory, memory, 1)
        for error in sorted(set(errors))[:3]:
            print(f"error: {error[:200]}", file=sys.stderr)


def _summarise(name: str, seconds: Sequence[float | None]) -> Figure:
    known = [each for each in seconds if each is not None]
    middle, high = percentile(known, 50) or 0, percentile(known, 95) or 0
    return Figure(f"{name}: p50 (p95 to max)", "s", middle, high, max(known, default=0), len(known))


def start_page(*limits: float) -> AbstractContextManager[tuple[Process, str]]:
    """The page in front of an engine that answers at once, and its address; `limits` as tests.figures.tabs_app says."""
    return start_server("Listening on", "-m", "tests.figures.tabs_app", *map(str, limits))


async def _click_together(url: str, count: int) -> list[Marks]:
    port, config = urlsplit(url).port or 0, read_config(url)
    tabs = [Tab(port, config) for _ in range(count)]
    for begin in range(0, count, OPENING):
        await asyncio.gather(*(tab.open() for tab in tabs[begin : begin + OPENING]))
    await asyncio.sleep(2)
    for tab in tabs:
        tab.values[tab.ids["speed"]] = REAL_SPEED
        tab.values[tab.ids["length"]] = 128
    try:
        return await asyncio.gather(*(tab.click("generate") for tab in tabs))
    finally:
        await asyncio.gather(*(tab.close() for tab in tabs))


if __name__ == "__main__":
    for figure in measure_tabs([int(each) for each in sys.argv[1:]] or TABS):
        print(figure, flush=True)
