"""The teaching material on the page: its sheets, on paper too, and the quiz before and after."""

import re
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Page, expect

from demo.ui.teaching import read_material
from demo.ui.view.words import CONSTANTS
from tests.browser.conftest import call
from tests.browser.tab import Tab, Tabs

PAGES: Final = re.compile(rb"/Type\s*/Page\b")
A4: Final = re.compile(rb"/MediaBox \[0 0 594\.9\d* 841\.\d*\]")


def open_material(tab: Tab) -> None:
    tab.page.evaluate("window.print = () => {}")
    tab.find("teach").scroll_into_view_if_needed()
    expect(tab.find("teach-sheet")).not_to_be_empty()


def print_sheet(tab: Tab, name: str) -> tuple[int, int]:
    """The pages of a sheet, and how many sizes of paper are not A4."""
    tab.find(f"teach-{name}").click()
    tab.find("teach-print").click()
    document = tab.page.pdf(prefer_css_page_size=True)
    return len(PAGES.findall(document)), len(re.findall(rb"/MediaBox", document)) - len(A4.findall(document))


@pytest.mark.parametrize("language", CONSTANTS["languages"])
def test_the_run_of_show_is_two_pages_of_a4_and_each_sheet_is_in_the_pages_language(
    open_tab: Tabs, folder: Path, language: str
) -> None:
    tab = open_tab(f"{folder.as_uri()}/index.html", fragment=f"&lang={language}", speed=None)
    open_material(tab)
    material = read_material(language)
    heading = material["run-of-show"].splitlines()[0].removeprefix("# ")
    expect(tab.page.locator("#teach-sheet h4")).to_have_text(heading)
    assert print_sheet(tab, "run-of-show") == (2, 0)
    assert print_sheet(tab, "handout")[0] <= 2
    assert print_sheet(tab, "quiz") == (1, 0)
    assert material["quiz"][4]["question"] in tab.read("teach-sheet")


def answer(tab: Tab, choices: list[int]) -> None:
    for question, choice in enumerate(choices):
        tab.page.locator(f"input[name=quiz-{question}][value='{choice}']").check()
    tab.find("quiz-keep").click()


def test_answers_from_before_and_after_are_kept_here_compared_and_deleted(typing_tab: Tab) -> None:
    typing_tab.page.evaluate("localStorage.clear()")
    open_material(typing_tab)
    typing_tab.find("teach-quiz").click()
    right = [each["right"] for each in read_material("en")["quiz"]]
    wrong = [(each + 1) % 3 for each in right]
    answer(typing_tab, [right[0], *wrong[1:]])
    expect(typing_tab.find("quiz-kept")).to_be_visible()
    assert not any(each["why"] in typing_tab.read("teach-sheet") for each in read_material("en")["quiz"])
    typing_tab.find("teach-handout").click()
    typing_tab.find("teach-quiz").click()  # as after a reload: what was stored is read again
    typing_tab.find("quiz-again").click()
    answer(typing_tab, [wrong[0], *right[1:4], wrong[4]])
    expect(typing_tab.find("quiz-verdict")).to_have_text(
        "1 of 5 right before, 3 of 5 after: newly right: 3; no longer right: 1; "
        "changed from one wrong answer to another: 0."
    )
    assert [row[2][0] for row in typing_tab.read_rows("teach-sheet")] == ["✗", "✓", "✓", "✓", "✗"]
    assert typing_tab.find_violations("#station-teach") == []
    typing_tab.find("quiz-forget").click()
    expect(typing_tab.find("quiz-questions")).to_be_visible()
    assert typing_tab.page.evaluate("localStorage.quiz") == "{}"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ([0, 1], [0, 1], "2 of 2 right before, 2 of 2 after: all of it was known before."),
        ([1, 0], [1, 0], "0 of 2 right before, 0 of 2 after: no answer changed."),
        ([2, 1], [1, 2], "newly right: 0; no longer right: 1; changed from one wrong answer to another: 1."),
    ],
)
def test_what_changed_is_said_in_a_sentence(modules: Page, before: list[int], after: list[int], said: str) -> None:
    assert call(modules, "lesson/teach/change", "describeChange", [0, 1], before, after).endswith(said)
