"""Where runs cost a visitor's quota, the first press of a measuring station's button asks, and the second spends."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Locator, expect

from demo.engine import Ready
from tests.browser.serving import serve
from tests.browser.tab import Tab, open_tabs
from tests.scripted import CARD, TypingEngine


class CostlyEngine(TypingEngine):
    """Types at once; each run costs quota."""

    def __init__(self) -> None:
        super().__init__(["One ", "two"], 0.0)
        self._status = Ready(replace(CARD, costs_quota=True))


@pytest.fixture(scope="module")
def costly(browser: Browser) -> Iterator[tuple[CostlyEngine, Tab]]:
    """The engine, and a tab in front of it."""
    engine = CostlyEngine()
    with serve(engine) as served, open_tabs(browser) as open_tab:
        yield engine, open_tab(served.url)


def press(tab: Tab, name: str) -> Locator:
    """Press a button, once what it needs is there; returns it."""
    button = tab.find(name)
    button.scroll_into_view_if_needed()
    button.click()
    return button


def test_a_crowd_asks_before_it_spends_and_the_second_press_begins(costly: tuple[CostlyEngine, Tab]) -> None:
    engine, tab = costly
    tab.find("station-enough").scroll_into_view_if_needed()
    tab.find("enough-clients").fill("5")
    button = press(tab, "enough-once")
    expect(tab.find("enough-status")).to_contain_text(
        "This makes 5 runs, each on GPU time of your Hugging Face account"
    )
    expect(button).to_be_enabled()
    assert not engine.tickets
    button.click()
    expect(tab.find("enough-status")).to_contain_text("All finished after")
    assert engine.tickets


def test_the_pairs_ask_before_they_spend_and_the_second_press_begins(costly: tuple[CostlyEngine, Tab]) -> None:
    engine, tab = costly
    engine.tickets.clear()
    tab.find("station-pairs").scroll_into_view_if_needed()
    expect(tab.find("pairs-plan")).not_to_be_empty()  # its script is there
    tab.find("pairs-count").fill("4")
    button = press(tab, "pairs-begin")
    expect(tab.find("pairs-status")).to_contain_text("Press again to spend it.")
    expect(button).to_be_enabled()
    assert not engine.tickets
    button.click()
    expect(tab.find("pairs-status")).to_contain_text("Done: 4 pairs")
    assert len(engine.tickets) == 10
