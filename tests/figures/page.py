"""The page in a real browser on the same cores: its paint delay, and its cost for the engine."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from itertools import pairwise
from typing import Final

from playwright.sync_api import Page, expect, sync_playwright

from demo.engine import Log, Ticket
from demo.request import Request
from demo.run import Run
from tests.browser.chromium import launch
from tests.browser.serving import serve
from tests.browser.tab import LOOK_AWAY
from tests.figures.figure import Figure, estimate, summarise
from tests.figures.room import StampingEngine, measure_rate
from tests.figures.speed import PROMPT, open_engine
from tests.figures.wire import wait_until
from tests.scripted import ScriptedEngine, ScriptedTicket

PAINTS: Final = 20
FIRST: Final = 0.08  # seconds to the first token: what the embedded model takes on two cores
PACE: Final = 0.011
TOKENS: Final = 30
PAINTED: Final = "Number(document.getElementById('streamed-text').dataset.paintedAt)"
PAIRS: Final = 16  # single ratios scatter by a tenth, more than the difference
PAGE_TOKENS: Final = 512  # about two seconds; a shorter run would mostly measure the first paint and layout
SETTLING: Final = 3.0  # seconds; a page that has just opened is still animated


class TimedEngine(ScriptedEngine):
    """Types an answer at the embedded model's pace and notes, for each run, when its first token was written."""

    def __init__(self) -> None:
        super().__init__()
        self.first_writes: list[float] = []

    def submit(self, request: Request, log: Log) -> Ticket:
        ticket = ScriptedTicket(request, log)
        self.tickets.append(ticket)
        threading.Thread(target=self._type, args=(ticket,), daemon=True).start()
        return ticket

    def _type(self, ticket: ScriptedTicket) -> None:
        ticket.start()
        threading.Event().wait(FIRST)
        self.first_writes.append(time.time())
        for index in range(TOKENS):
            if ticket.cancelled:
                return
            ticket.write(f" word{index}")
            threading.Event().wait(PACE)
        ticket.finish("eos_token")


def measure_paint() -> Figure:
    """From the engine's first text to the screen, in headless Chromium, with a scripted engine.

    Both moments are wall-clock times of one machine: the engine's thread notes `time.time()` when it writes, the page
    notes when the frame with the text had been painted. The first run, which loads things, is dropped.
    """
    engine, delays, painted = TimedEngine(), [], 0.0
    with serve(engine) as url, sync_playwright() as playwright:
        page = launch(playwright).new_page()
        page.goto(url)
        for run in range(1, PAINTS + 2):
            page.locator("#prompt textarea").fill("Hello")
            page.locator("#generate").click()
            page.wait_for_function(f"before => {PAINTED} > before", arg=painted)
            expect(page.locator("#numbers tbody tr")).to_have_count(2 * run)
            painted = page.evaluate(PAINTED)
            delays.append(painted - 1e3 * engine.first_writes[-1])
    return summarise("browser: first text painted after it was made", "ms", delays[1:])


class _Fixed(StampingEngine):
    """Answers one fixed request, whatever is asked."""

    def submit_all(self, requests: Sequence[Request], logs: Sequence[Log]) -> Sequence[Ticket]:
        return super().submit_all([Request(PROMPT, PAGE_TOKENS, ignore_eos=True, cache_prompt=False)], logs)


def measure_page() -> list[Figure]:
    """The page's cost for the engine: with a client that discards the updates, in a browser, and in a hidden tab."""
    with open_engine() as local:
        engine = _Fixed(local)
        with serve(engine) as url:
            found = dict(_compare_readers(engine, url))
    return [estimate(f"ratio: the engine's pace, {name} / no page", "x", ratios) for name, ratios in found.items()]


def _compare_readers(engine: _Fixed, url: str) -> Iterator[tuple[str, list[float]]]:
    with _open_tab(url) as ask:
        yield "with a client that discards the updates", _compare(engine, ask, nullcontext)
    with sync_playwright() as playwright:
        tabs = launch(playwright).new_context()
        page = tabs.new_page()
        visit = partial(_visit, page, url)
        yield "shown", _compare(engine, page.locator("#generate").click, visit)
        yield "behind another tab", _compare(engine, partial(_ask_away, page), visit)


def _compare(engine: _Fixed, ask: Callable[[], None], visit: Callable[[], AbstractContextManager[None]]) -> list[float]:
    """The engine's rate with a reader, over the mean of the rates without one just before and after."""
    alone, read = [_run_alone(engine)], []
    for _ in range(PAIRS + 1):
        with visit():
            read.append(_run(engine, ask))
        alone.append(_run_alone(engine))
    return [2 * pace / sum(around) for pace, around in list(zip(read, pairwise(alone), strict=True))[1:]]


def _run_alone(engine: _Fixed) -> float:
    def ask() -> None:
        for _ in Run(engine, Request(PROMPT)).attach():
            pass

    return _run(engine, ask)


def _run(engine: _Fixed, ask: Callable[[], None]) -> float:
    """The rate of a run, always after a pause: cores that have just worked are faster for a second."""
    time.sleep(SETTLING)
    engine.tokens = []
    ask()
    wait_until(lambda: len(engine.tokens) == PAGE_TOKENS, "the run does not end")
    return measure_rate(engine.tokens)


@contextmanager
def _visit(page: Page, url: str) -> Iterator[None]:
    page.goto(url)
    page.locator("#prompt textarea").fill(PROMPT[0].content)
    page.locator("#generate:enabled").wait_for()
    yield
    page.goto("about:blank")
    for other in page.context.pages[1:]:
        other.close()


def _ask_away(page: Page) -> None:
    page.locator("#generate").click()
    page.context.new_page().bring_to_front()
    page.evaluate(LOOK_AWAY)


@contextmanager
def _open_tab(url: str) -> Iterator[Callable[[], None]]:
    """A function that clicks in a tab without a browser, in its own process, and returns when the run has ended."""
    command = [sys.executable, "-m", "tests.figures.tab", url, PROMPT[0].content]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asking, telling = process.stdin, process.stdout

        def ask() -> None:
            print(file=asking, flush=True)
            telling.readline()

        yield ask
        asking.close()
