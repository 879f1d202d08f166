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

from playwright.sync_api import Page, sync_playwright

from demo.engine import Log, Ticket
from demo.engines.local.engine import LocalEngine
from demo.engines.local.model import load_model
from demo.events import Done, Event, Failed, Token
from demo.request import Request
from demo.run import Run
from demo.settings import Settings
from tests.browser.chromium import launch
from tests.browser.paint_delay import TimedEngine, measure_delays
from tests.browser.serving import serve
from tests.browser.tab import LOOK_AWAY
from tests.figures.figure import Figure, estimate, summarise
from tests.figures.speed import PROMPT, ROWS, wait_until_ready

PAINTS: Final = 20
PAIRS: Final = 16  # single ratios scatter by a tenth, more than the difference
PAGE_TOKENS: Final = 512  # about two seconds; a shorter run would mostly measure the first paint and layout
SETTLING: Final = 3.0  # seconds; a page that has just opened is still animated


def measure_paint() -> Figure:
    """From the engine's first text to the screen, in headless Chromium, with a scripted engine."""
    engine = TimedEngine()
    with serve(engine) as served, sync_playwright() as playwright:
        page = launch(playwright).new_page()
        page.goto(served.url)
        delays = measure_delays(page, engine, runs=PAINTS)
    return summarise("browser: first text painted after it was made", "ms", [1e3 * delay for delay in delays])


class _Paced(LocalEngine):
    """The engine with a fixed request, and the times at which the tokens of the last run were sampled."""

    def __init__(self) -> None:
        super().__init__(lambda report: load_model(Settings(), report), ROWS)
        self.tokens: list[float] = []
        self.ended = threading.Event()

    def submit_all(self, requests: Sequence[Request], logs: Sequence[Log]) -> Sequence[Ticket]:
        (log,) = logs
        tokens: list[float] = []
        self.tokens = tokens

        def note(*events: Event) -> None:
            tokens.extend(event.time for event in events if isinstance(event, Token))
            log(*events)
            if isinstance(events[-1], Done | Failed):
                self.ended.set()

        return super().submit_all([Request(PROMPT, PAGE_TOKENS, ignore_eos=True, cache_prompt=False)], [note])

    def rate(self) -> float:
        """Tokens per second from the first token to the last."""
        self.ended.wait()
        return (PAGE_TOKENS - 1) / (self.tokens[-1] - self.tokens[0])


def measure_page() -> list[Figure]:
    """The page's cost for the engine: with a client that discards the updates, in a browser, and in a hidden tab."""
    engine = _Paced()
    wait_until_ready(engine)
    with serve(engine) as served:
        found = dict(_compare_readers(engine, served.url))
    return [estimate(f"ratio: the engine's pace, {name} / no page", "x", ratios) for name, ratios in found.items()]


def _compare_readers(engine: _Paced, url: str) -> Iterator[tuple[str, list[float]]]:
    with _open_tab(url) as ask:
        yield "with a client that discards the updates", _compare(engine, ask, nullcontext)
    with sync_playwright() as playwright:
        tabs = launch(playwright).new_context()
        page = tabs.new_page()
        visit = partial(_visit, page, url)
        yield "shown", _compare(engine, page.locator("#generate").click, visit)
        yield "behind another tab", _compare(engine, partial(_ask_away, page), visit)


def _compare(engine: _Paced, ask: Callable[[], None], visit: Callable[[], AbstractContextManager[None]]) -> list[float]:
    """The engine's rate with a reader, over the mean of the rates without one just before and after."""
    alone, read = [_run_alone(engine)], []
    for _ in range(PAIRS + 1):
        with visit():
            read.append(_run(engine, ask))
        alone.append(_run_alone(engine))
    return [2 * pace / sum(around) for pace, around in list(zip(read, pairwise(alone), strict=True))[1:]]


def _run_alone(engine: _Paced) -> float:
    def ask() -> None:
        for _ in Run(engine, Request(PROMPT)).attach():
            pass

    return _run(engine, ask)


def _run(engine: _Paced, ask: Callable[[], None]) -> float:
    """The rate of a run, always after a pause: cores that have just worked are faster for a second."""
    time.sleep(SETTLING)
    engine.ended.clear()
    ask()
    return engine.rate()


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
