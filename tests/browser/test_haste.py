"""Whoever clicks fast is answered every time: Gradio's client loses what is asked between two of its streams."""

from playwright.sync_api import expect

from tests.browser.conftest import Stage
from tests.scripted import TypingEngine

ROUNDS = 8


def test_what_is_asked_right_after_clearing_is_always_answered_on_both_sides(stage: Stage) -> None:
    tab = stage.show(TypingEngine(["Yes", "."], 0.02))
    for _ in range(ROUNDS):
        tab.ask("Say yes")
        expect(tab.page.locator("#numbers tbody tr")).to_have_count(2)
        assert tab.find("whole-text").inner_text() == tab.find("streamed-text").inner_text() == "Yes."
        tab.find("clear").click()
        expect(tab.find("streamed-ttft")).to_have_text("–")
