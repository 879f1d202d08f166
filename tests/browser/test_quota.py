"""Where runs cost a visitor's quota, the first press of a measuring station's button asks, and the second spends."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, expect

from demo.engine import Ready
from tests.browser.serving import serve
from tests.browser.station import Station
from tests.browser.tab import Tab, open_tabs
from tests.scripted import CARD, TypingEngine


@pytest.fixture(scope="module")
def costly(browser: Browser) -> Iterator[tuple[TypingEngine, Tab]]:
    """The engine, and a tab in front of it."""
    engine = TypingEngine(["One ", "two"], 0.0, Ready(replace(CARD, costs_quota=True)))
    with serve(engine) as url, open_tabs(browser) as open_tab:
        yield engine, open_tab(url)


@pytest.mark.parametrize(
    ("name", "dial", "count", "button", "runs", "done", "made"),
    [
        ("enough", "clients", "5", "once", 5, "All finished after", range(1, 6)),  # more than it answers at once
        ("pairs", "count", "4", "begin", 10, "Done: 4 pairs", range(10, 11)),
    ],
)
def test_a_station_asks_before_it_spends_and_the_second_press_begins(
    costly: tuple[TypingEngine, Tab], name: str, dial: str, count: str, button: str, runs: int, done: str, made: range
) -> None:
    engine, tab = costly
    engine.tickets.clear()
    station = Station(tab, name)
    expect(station.find(button)).to_be_enabled()  # its script is there
    station.find(dial).fill(count)
    station.find(button).click()
    question = f"This makes {runs} runs, each on GPU time of your Hugging Face account. Press again to spend it."
    expect(station.find("status")).to_have_text(question)
    expect(station.find(button)).to_be_enabled()
    assert not engine.tickets
    station.find(button).click()
    expect(station.find("status")).to_contain_text(done)
    assert len(engine.tickets) in made
