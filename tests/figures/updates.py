"""Updates of the streamed text in headless Chromium, on the same cores as the model, and the gaps between them.

`python -m tests.figures.updates` measures these alone.
"""

from collections.abc import Iterator
from typing import Final

from playwright.sync_api import Page, expect, sync_playwright

from demo.metrics import percentile
from tests.browser.chromium import launch
from tests.browser.painting import Update, list_gaps, read_updates, watch_updates
from tests.browser.serving import serve
from tests.figures.figure import Figure, summarise
from tests.figures.speed import open_engine

SPEEDS: Final = ("30 tokens/s", "100 tokens/s", "Real speed")
RUNS: Final = 5  # of the default answer, after one that is dropped


def measure_updates() -> Iterator[Figure]:
    """At each speed that the page offers."""
    with open_engine() as engine, serve(engine) as url, sync_playwright() as playwright:
        page = launch(playwright).new_page(viewport={"width": 1280, "height": 720})
        page.goto(url)
        expect(page.locator("#generate")).to_be_enabled()
        for speed in SPEEDS:
            page.locator("#speed").get_by_label(speed).check()
            runs = [_watch_race(page) for _ in range(RUNS + 1)][1:]
            gaps = [1e3 * gap for run in runs for gap in list_gaps(run)]
            rates = [(len(run) - 1) / (run[-1].time - run[0].time) for run in runs]
            yield summarise(f"browser, {speed}: updates a second", "1/s", rates)
            yield summarise(f"browser, {speed}: gap between two updates", "ms", gaps)
            p95 = percentile(gaps, 95) or 0.0
            yield Figure(f"browser, {speed}: gap, p95", "ms", p95, min(gaps), max(gaps), len(gaps))


def _watch_race(page: Page) -> list[Update]:
    watch_updates(page)
    page.locator("#generate").click()
    page.locator("[data-racing] #stop").wait_for()
    page.locator("body:not([data-racing]) #generate").wait_for()
    return read_updates(page)


if __name__ == "__main__":
    for figure in measure_updates():
        print(figure)
