"""The screen is not the bottleneck."""

from tests.browser.conftest import Stage
from tests.browser.paint_delay import TimedEngine, measure_delays
from tests.browser.tab import Tab

# How many frames anybody asked for in half a second: each takes the next handle.
COUNT_FRAMES = """() => new Promise((told) => {
  const before = requestAnimationFrame(() => {});
  setTimeout(() => told(requestAnimationFrame(() => {}) - before - 1), 500);
})"""


def test_the_first_text_is_on_the_screen_80_ms_after_the_engine_made_it(stage: Stage) -> None:
    engine = TimedEngine()
    delays = measure_delays(stage.show(engine).page, engine, runs=5)
    assert 0 < min(delays) < 0.08, delays  # whatever else the machine does only adds to it


def test_a_page_at_rest_asks_for_no_frames(typing_tab: Tab) -> None:
    typing_tab.page.wait_for_function(f"async () => (await ({COUNT_FRAMES})()) === 0")
