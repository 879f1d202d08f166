"""A tab in which many races are run stays as light as it was."""

from typing import Final

from playwright.sync_api import CDPSession

from tests.browser.conftest import Stage
from tests.browser.tab import Tab, Tabs
from tests.scripted import TypingEngine

RACES: Final = 5  # between two measurements, of which there are three
HEAP: Final = 5e6 * RACES / 50  # bytes: fifty races may grow a tab by 5 MB


def measure(session: CDPSession) -> dict[str, float]:
    """What the tab holds, after its garbage has been collected."""
    session.send("HeapProfiler.collectGarbage")
    return {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}


def race(tab: Tab, count: int) -> None:
    for _ in range(count):
        before = tab.page.locator("#numbers tbody tr").count()
        tab.find("generate").click()
        tab.expect_results(before // 2 + 1)


def test_races_leave_no_listeners_behind_and_hardly_any_memory(open_tab: Tabs, stage: Stage) -> None:
    stage.choose(TypingEngine([f"word{index} " for index in range(60)], 0.001))
    tab = open_tab(stage.url)
    session = tab.page.context.new_cdp_session(tab.page)
    session.send("Performance.enable")
    race(tab, 1)
    first = measure(session)
    race(tab, RACES)
    second = measure(session)
    race(tab, RACES)
    third = measure(session)
    assert third["JSEventListeners"] <= first["JSEventListeners"] + 2, (first, third)
    # The browser compiles more of the scripts as they are used again: what leaks grows in both halves.
    assert min(_grow(first, second), _grow(second, third)) < HEAP, (first, second, third)


def _grow(before: dict[str, float], after: dict[str, float]) -> float:
    return after["JSHeapUsedSize"] - before["JSHeapUsedSize"]
