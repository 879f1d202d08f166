"""The race as a visitor sees it, with the embedded model behind the real app."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.tab import Tab, Tabs, open_tabs, read_seconds

CHEESE = "How do you make cheese?"


@pytest.fixture(scope="module")
def finished(browser: Browser, app_url: str) -> Iterator[Tab]:
    """A race that has come to its end, for tests that only read."""
    with open_tabs(browser) as open_tab:
        tab = open_tab(app_url)
        tab.ask(CHEESE)
        tab.expect_both("done")
        yield tab


def test_the_streaming_panel_has_text_while_the_other_has_none_and_both_end_with_the_same(finished: Tab) -> None:
    assert finished.has_led
    assert "cheese" in finished.read("streamed-text").lower()
    assert finished.read("streamed-text") == finished.read("whole-text")
    finished.expect_results(1)
    expect(finished.find("definitions")).to_contain_text(re.compile(r"\d+ ms: first visible text"))


def test_streaming_shows_its_first_token_in_under_a_third_of_the_total(finished: Tab) -> None:
    total = read_seconds(finished.read("streamed-total"))
    assert read_seconds(finished.read("streamed-ttft")) < total / 3
    assert finished.read("whole-ttft") == finished.read("whole-total") == finished.read("streamed-total")
    assert finished.read("streamed-tokens") == finished.read("whole-tokens")


def test_a_second_message_goes_on_with_the_conversation(open_tab: Tabs, app_url: str) -> None:
    tab = open_tab(app_url)
    tab.ask("Count to 10")
    tab.expect_both("done")
    first = tab.read("streamed-text")
    tab.find("keep").locator("input").check()
    tab.ask("Thank you!")
    tab.expect_both("done")
    tab.expect_results(2)
    for side in ("streamed", "whole"):
        past = tab.page.locator(f"#{side}-body .past").first
        expect(past).to_contain_text("Count to 10")
        expect(past).to_contain_text(first.splitlines()[0])


def test_stop_all_ends_the_run(open_tab: Tabs, app_url: str) -> None:
    tab = open_tab(app_url)
    tab.ask(CHEESE)
    tab.expect_some_text("streamed")
    tab.find("stop").click()
    tab.expect_both("stopped")
    assert tab.read("streamed-text")
    assert tab.read("whole-text") == ""
