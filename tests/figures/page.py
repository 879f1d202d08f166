"""The page in a real browser on the same cores: how late it paints, and what it costs the engine."""

import threading
import time
from typing import Final

from playwright.sync_api import sync_playwright

from demo.engine.model import load_model
from demo.engine.worker import Worker
from demo.events import Done, Event, Failed, Log, Request, Ticket, Token
from demo.run import Run
from demo.settings import Settings
from tests.browser.chromium import launch
from tests.browser.paint_delay import TimedEngine, measure_delays
from tests.browser.serving import serve
from tests.figures.figure import Figure, summarise
from tests.figures.speed import PROMPT, ROUNDS, ROWS, wait_until_ready

PAINTS: Final = 20
PAGE_TOKENS: Final = 64
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
    """The engine, noting when each token of the last request was sampled."""

    def __init__(self) -> None:
        super().__init__(lambda report: load_model(Settings(), report), ROWS)
        self.tokens: list[float] = []
        self.ended = threading.Event()

    def submit(self, request: Request, log: Log) -> Ticket:
        self.tokens.clear()
        self.ended.clear()

        def note(*events: Event) -> None:
            self.tokens.extend(event.time for event in events if isinstance(event, Token))
            log(*events)
            if isinstance(events[-1], Done | Failed):
                self.ended.set()

        return super().submit(request, note)

    def wait_for_rate(self) -> float:
        """Tokens per second between the first token and the `PAGE_TOKENS`-th."""
        while len(self.tokens) < PAGE_TOKENS:
            time.sleep(0.1)
        return (PAGE_TOKENS - 1) / (self.tokens[PAGE_TOKENS - 1] - self.tokens[0])


def measure_page() -> list[Figure]:
    """What a browser on the same cores costs the engine: a run alone, one that a page shows, one behind another tab."""
    engine = _Paced()
    wait_until_ready(engine)
    with serve(engine) as served, sync_playwright() as playwright:
        tabs = launch(playwright).new_context()
        page = tabs.new_page()

        def ask() -> None:
            page.goto(served.url)
            page.locator("#generate:enabled").wait_for()
            page.wait_for_timeout(SETTLING)
            page.locator("#prompt textarea").fill(PROMPT[0].content)
            page.locator("#generate").click()

        def alone() -> float:
            run = Run(engine, Request(PROMPT, PAGE_TOKENS, ignore_eos=True))
            for _ in run.attach():
                pass
            return engine.wait_for_rate()

        def leave() -> float:
            rate = engine.wait_for_rate()
            page.goto("about:blank")
            engine.ended.wait()
            return rate

        def shown() -> float:
            ask()
            return leave()

        def hidden() -> float:
            ask()
            with tabs.new_page() as cover:
                cover.bring_to_front()
                return leave()

        rounds = [(alone(), shown(), hidden()) for _ in range(ROUNDS + 1)][1:]
    return [
        summarise("a page on the same cores: none, engine's own pace", "tokens/s", [none for none, _, _ in rounds]),
        summarise("ratio: page shown / none", "x", [shown / none for none, shown, _ in rounds]),
        summarise("ratio: page behind another tab / none", "x", [hidden / none for none, _, hidden in rounds]),
    ]
