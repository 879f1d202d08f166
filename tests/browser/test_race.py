"""The race as a visitor sees it, with the embedded model behind the real app."""

from playwright.sync_api import expect

from tests.browser.tab import Tabs, read_seconds

CHEESE = "How do you make cheese?"


def test_the_streaming_panel_has_text_while_the_other_has_none_and_both_end_with_the_same(
    open_tab: Tabs, app_url: str
) -> None:
    tab = open_tab(app_url)
    tab.ask(CHEESE)
    tab.expect_some_text("streamed")
    assert tab.read("whole-text") == ""
    tab.expect_both("done")
    assert "cheese" in tab.read("streamed-text").lower()
    assert tab.read("streamed-text") == tab.read("whole-text")
    tab.expect_results(1)


def test_streaming_shows_its_first_token_in_under_a_third_of_the_total(open_tab: Tabs, app_url: str) -> None:
    tab = open_tab(app_url)
    tab.ask(CHEESE)
    tab.expect_both("done")
    total = read_seconds(tab.read("streamed-total"))
    assert read_seconds(tab.read("streamed-ttft")) < total / 3
    assert tab.read("whole-ttft") == tab.read("whole-total") == tab.read("streamed-total")
    assert tab.read("streamed-tokens") == tab.read("whole-tokens")


def test_a_second_message_goes_on_with_the_conversation(open_tab: Tabs, app_url: str) -> None:
    tab = open_tab(app_url)
    tab.ask("Count to 10")
    tab.expect_both("done")
    first = tab.read("streamed-text")
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
