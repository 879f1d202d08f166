"""A tab in which many races are run stays as light as it was."""

from typing import Final

from playwright.sync_api import CDPSession

from tests.browser.serving import serve
from tests.browser.tab import Tab, Tabs
from tests.scripted import TypingEngine

RACES: Final = 8
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


def test_races_leave_no_listeners_behind_and_hardly_any_memory(open_tab: Tabs) -> None:
    with serve(TypingEngine([f"word{index} " for index in range(60)], 0.001)) as served:
        tab = open_tab(served.url)
        session = tab.page.context.new_cdp_session(tab.page)
        session.send("Performance.enable")
        race(tab, 2)
        before = measure(session)
        race(tab, RACES)
        after = measure(session)
        open_tab.close()
    assert after["JSEventListeners"] <= before["JSEventListeners"] + 2, (before, after)
    assert after["JSHeapUsedSize"] - before["JSHeapUsedSize"] < HEAP, (before, after)
