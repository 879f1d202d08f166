"""The streamed text grows token by token, each painted when it is due; and a race is played again in slow motion."""

import statistics
from itertools import accumulate

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Stage
from tests.browser.painting import Update, list_gaps, read_updates, watch_updates
from tests.browser.race import start_race
from tests.browser.tab import Tab, Tabs
from tests.scripted import ScriptedEngine, TypingEngine

FAST = 1 / 250  # seconds between two tokens
COUNT = 120
WORD = "word "
# A page's frames belong to everybody: whatever asks for one gets it, from the first moment on.
ASK_FOR_FRAMES = """
window.asked = window.given = 0;
const ask = () => { asked++; requestAnimationFrame(() => { given++; if (asked < 200) ask(); }); };
ask();"""

# How many frames anybody asked for in half a second: each takes the next handle.
COUNT_FRAMES = """() => new Promise((told) => {
  const before = requestAnimationFrame(() => {});
  setTimeout(() => told(requestAnimationFrame(() => {}) - before - 1), 500);
})"""

# Notes when one of the streaming side's numbers changes while its text grows, and whether the text does with it.
WATCH_NUMBERS = """() => {
  window.changes = [];
  const text = document.getElementById("streamed-text");
  new MutationObserver((records) => {
    const grown = records.some(({ target }) => text.contains(target));
    const changed = records.some(({ target }) => target.closest?.("[data-field]"));
    if (changed && text.dataset.state === "writing") changes.push(grown);
  }).observe(document.getElementById("streamed-pane"), { characterData: true, childList: true, subtree: true });
}"""


@pytest.fixture
def fast_tab(stage: Stage) -> Tab:
    """The page in front of an engine that types as fast as the embedded model."""
    return stage.show(TypingEngine([WORD] * COUNT, FAST))


def test_at_30_tokens_a_second_each_token_is_an_update_of_its_own(fast_tab: Tab) -> None:
    updates = watch_race(fast_tab, "30 tokens/s")
    assert sum(update.characters for update in updates) == len(WORD) * COUNT
    alone = sum(update.characters == len(WORD) for update in updates)
    assert alone > 0.25 * COUNT, [update.characters for update in updates]


def watch_race(tab: Tab, speed: str = "Real speed") -> list[Update]:
    """What is painted of a race at that speed."""
    tab.find("speed").get_by_label(speed).check()
    watch_updates(tab.page)
    tab.ask("Hello")
    tab.expect_both("done")
    return read_updates(tab.page)


def test_at_full_speed_no_update_holds_more_than_the_tokens_of_its_time(stage: Stage) -> None:
    count = 2 * COUNT
    updates = watch_race(stage.show(TypingEngine([WORD] * count, FAST)))
    gaps = list_gaps(updates)
    seconds = updates[-1].time - updates[0].time
    assert statistics.median(gaps) < 0.12
    assert len(updates) > 8 * seconds, gaps
    # The last update brings the rest; each of the others, what was made in about the time that it took.
    made = len(WORD) * count / seconds
    excess = [update.characters - made * gap for update, gap in zip(updates[1:-1], gaps[:-1], strict=True)]
    assert statistics.median(excess) < 0.1 * made, excess


def test_the_chart_draws_what_was_painted_beside_what_the_engine_made(fast_tab: Tab) -> None:
    updates = watch_race(fast_tab)
    fast_tab.expect_results(1)
    traces = fast_tab.page.evaluate(
        "document.querySelector('#plot-timeline .plot').data.map(({ name, y }) => [name, Array.from(y)])"
    )
    drawn = dict(traces)
    assert max(drawn["Streaming, made by the engine"]) == COUNT
    counts = [total // len(WORD) for total in accumulate(update.characters for update in updates)]
    assert drawn["Streaming, painted here"][-1] == counts[-1] == COUNT
    assert len(set(drawn["Streaming, painted here"]) & set(counts)) > 0.8 * len(counts)


def test_slow_motion_plays_the_run_again_in_both_panes_and_asks_no_model(tab: Tab, engine: ScriptedEngine) -> None:
    tab.ask("Hello")
    ticket = engine.wait_for_ticket()
    ticket.start(10, cached_tokens=8)
    for text, shown in (("One ", "One"), ("two ", "One two"), ("three", "One two three")):
        ticket.write(text)
        tab.expect_text("streamed", shown)
    ticket.finish("eos_token")
    tab.expect_results(1)
    for number in ("streamed-first", "whole-first"):
        expect(tab.find(number)).to_contain_text("s")  # the heads are set with the next frame
    before = {name: tab.read(name) for name in ("streamed-first", "whole-first", "whole-clock", "streamed-label")}
    requests: list[str] = []
    tab.page.on("request", lambda request: requests.append(request.url))
    tab.find("slow-motion").click()
    expect(tab.find("streamed-label")).to_contain_text("times slower")
    expect(tab.find("streamed-text")).not_to_be_empty()
    expect(tab.find("whole-text")).to_be_empty()
    expect(tab.find("streamed-clock")).to_contain_text("ms")
    assert tab.read("streamed-remembered") == tab.read("whole-remembered") == "8 of 10 prompt tokens remembered"
    expect(tab.find("slow-motion")).to_have_text("Stop slow motion")
    tab.expect_text("whole", "One two three")
    tab.expect_text("streamed", "One two three")
    assert {name: tab.read(name) for name in before} == before
    assert len(engine.tickets) == 1
    assert not [url for url in requests if "gradio_api" in url or "generate" in url]


def test_a_new_race_ends_slow_motion(tab: Tab, engine: ScriptedEngine) -> None:
    start_race(tab, engine, "One ")
    engine.tickets[0].write("two")
    engine.tickets[0].finish("eos_token")
    tab.expect_results(1)
    tab.find("slow-motion").click()
    tab.ask("More")
    tab.expect_both("queued")
    assert tab.read("streamed-text") == tab.read("whole-text") == tab.read("streamed-label") == ""


def test_frames_that_somebody_asks_for_are_never_cancelled(open_tab: Tabs, stage: Stage) -> None:
    stage.choose(TypingEngine([WORD] * COUNT, FAST))
    tab = open_tab(stage.url, ready=False)
    tab.page.add_init_script(ASK_FOR_FRAMES)
    tab.page.reload()
    tab.wait_until_ready()
    tab.ask("Hello")
    tab.page.wait_for_function("given === 200")


def test_a_page_at_rest_asks_for_no_frames(typing_tab: Tab) -> None:
    typing_tab.page.wait_for_function(f"async () => (await ({COUNT_FRAMES})()) === 0")


def test_while_text_grows_its_numbers_change_only_with_it_and_slowed_it_offers_no_slow_motion(fast_tab: Tab) -> None:
    fast_tab.page.evaluate(WATCH_NUMBERS)
    watch_race(fast_tab, "100 tokens/s")
    changes = fast_tab.page.evaluate("changes")
    assert len(changes) > 1
    assert all(changes)
    fast_tab.expect_results(1)
    expect(fast_tab.find("slow-motion")).to_be_hidden()
