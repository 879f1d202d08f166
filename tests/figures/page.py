"""The page in a real browser on the same cores: how late it paints, and what it costs the engine."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from playwright.sync_api import BrowserContext, Page, sync_playwright

from demo.engine.model import load_model
from demo.engine.worker import Worker
from demo.events import Done, Event, Failed, Log, Request, Ticket, Token
from demo.run import Run
from demo.settings import Settings
from tests.browser.chromium import launch
from tests.browser.paint_delay import TimedEngine, measure_delays
from tests.browser.serving import serve
from tests.browser.tab import LOOK_AWAY
from tests.figures.figure import Figure, summarise
from tests.figures.speed import PROMPT, ROUNDS, ROWS, wait_until_ready

PAINTS: Final = 20
PAGE_TOKENS: Final = 512  # some two seconds: in a quarter of that the first paint and layout are most of what is seen
SETTLING: Final = 4000  # ms, about what a visitor takes to type: a page that has just opened is still animated


def measure_paint() -> Figure:
    """From the engine's first text to the screen, in headless Chromium, with a scripted engine."""
    engine = TimedEngine()
    with serve(engine) as served, sync_playwright() as playwright:
        page = launch(playwright).new_page()
        page.goto(served.url)
        delays = measure_delays(page, engine, runs=PAINTS)
    return summarise("browser: first text painted after it was made", "ms", [1e3 * delay for delay in delays])


class _Paced(Worker):
    """The engine, noting when each token of the last request was sampled. Whatever is asked, it writes the same."""

    def __init__(self) -> None:
        super().__init__(lambda report: load_model(Settings(), report), ROWS)
        self.tokens: list[float] = []
        self.ended = threading.Event()

    def submit(self, request: Request, log: Log) -> Ticket:
        tokens: list[float] = []
        self.tokens = tokens

        def note(*events: Event) -> None:
            tokens.extend(event.time for event in events if isinstance(event, Token))
            log(*events)
            if isinstance(events[-1], Done | Failed):
                self.ended.set()

        return super().submit(Request(PROMPT, PAGE_TOKENS, ignore_eos=True), note)

    def close(self) -> None:
        """The servers come and go, round by round; the engine stays."""

    def rate(self) -> float:
        """Tokens per second from the first token to the last."""
        self.ended.wait()
        return (PAGE_TOKENS - 1) / (self.tokens[-1] - self.tokens[0])


def measure_page() -> list[Figure]:
    """What a page costs the engine, in turns: its server alone, one that shows a run, one behind another tab."""
    engine = _Paced()
    wait_until_ready(engine)
    rounds = [_measure_round(engine) for _ in range(ROUNDS + 1)][1:]
    Worker.close(engine)
    alone = "a page on the same cores: none, engine's own pace"
    return [summarise(alone, "tokens/s", [each["none"] for each in rounds])] + [
        summarise(f"ratio: page {name} / none", "x", [each[name] / each["none"] for each in rounds])
        for name in rounds[0]
        if name != "none"
    ]


def _measure_round(engine: _Paced) -> dict[str, float]:
    before = _run_alone(engine)
    with_pages = dict(_measure_pages(engine))
    return {"none": (before + _run_alone(engine)) / 2, **with_pages}


def _measure_pages(engine: _Paced) -> Iterator[tuple[str, float]]:
    with serve(engine) as served:
        yield "served, nobody there", _run_alone(engine)
        with _open_tab(served.url) as ask:
            yield "told to a client that discards it", _run(engine, ask)
        with sync_playwright() as playwright:
            tabs = launch(playwright).new_context()
            page = tabs.new_page()
            yield "shown", _run(engine, lambda: _ask(page, served.url))
            yield "behind another tab", _run(engine, lambda: _ask_away(tabs, page, served.url))


def _run_alone(engine: _Paced) -> float:
    def ask() -> None:
        for _ in Run(engine, Request(PROMPT)).attach():
            pass

    return _run(engine, ask)


def _run(engine: _Paced, ask: Callable[[], None]) -> float:
    engine.ended.clear()
    ask()
    return engine.rate()


def _ask(page: Page, url: str) -> None:
    page.goto(url)
    page.locator("#generate:enabled").wait_for()
    page.wait_for_timeout(SETTLING)
    page.locator("#prompt textarea").fill(PROMPT[0].content)
    page.locator("#generate").click()


def _ask_away(tabs: BrowserContext, page: Page, url: str) -> None:
    _ask(page, url)
    tabs.new_page().bring_to_front()
    page.evaluate(LOOK_AWAY)


@contextmanager
def _open_tab(url: str) -> Iterator[Callable[[], None]]:
    """What makes a tab without a browser ask, in a process of its own, and returns at the end of the run."""
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
