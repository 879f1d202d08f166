"""The screen is not the bottleneck."""

from tests.browser.paint_delay import TimedEngine, measure_delays
from tests.browser.serving import serve
from tests.browser.tab import Tabs

# How many frames anybody asked for in half a second: each takes the next handle.
COUNT_FRAMES = """() => new Promise((told) => {
  const before = requestAnimationFrame(() => {});
  setTimeout(() => told(requestAnimationFrame(() => {}) - before - 1), 500);
})"""


def test_the_first_text_is_on_the_screen_80_ms_after_the_engine_made_it(open_tab: Tabs) -> None:
    engine = TimedEngine()
    with serve(engine) as served:
        delays = measure_delays(open_tab(served.url).page, engine, runs=5)
        open_tab.close()
    assert 0 < min(delays) < 0.08, delays  # whatever else the machine does only adds to it


def test_a_page_at_rest_asks_for_no_frames(open_tab: Tabs, typing_url: str) -> None:
    page = open_tab(typing_url).page
    page.wait_for_function(f"async () => (await ({COUNT_FRAMES})()) === 0")
