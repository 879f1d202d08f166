"""The page in its sizes and themes: nothing overlaps, nothing is out of reach, axe is content."""

from itertools import combinations

from playwright.sync_api import FloatRect, expect

from demo.ui.view.words import CONSTANTS, SIDES
from tests.browser.tab import OTHER_THEME, SIZES, Tab, Tabs

PARTS = ("phase", "first", "clock", "stop", "body", "ttft", "total", "tokens")
IN_FRAME = ["prompt", "stop", "speed", "examples", "verdict", *(f"{side}-{part}" for side in SIDES for part in PARTS)]


def box(tab: Tab, name: str) -> FloatRect:
    found = tab.find(name).bounding_box()
    assert found is not None, f"{name} is not on the page"
    return found


def overlap(one: FloatRect, two: FloatRect) -> bool:
    beside = one["x"] + one["width"] <= two["x"] + 0.5 or two["x"] + two["width"] <= one["x"] + 0.5
    above = one["y"] + one["height"] <= two["y"] + 0.5 or two["y"] + two["height"] <= one["y"] + 0.5
    return not (beside or above)


def test_in_the_documentations_frame_everything_of_the_race_is_in_sight(open_tab: Tabs, typing_url: str) -> None:
    tab = open_tab(typing_url, "frame", "dark")
    tab.ask("Hello")
    tab.expect_some_text("streamed")
    for is_dark in (True, False):
        assert tab.page.evaluate("document.body.classList.contains('dark')") == is_dark
        assert_in_sight(tab)
        tab.page.evaluate(OTHER_THEME)


# At once: a race may end between two questions.
BOXES = "(names) => names.map((name) => document.getElementById(name).getBoundingClientRect().toJSON())"


def assert_in_sight(tab: Tab) -> None:
    boxes: dict[str, FloatRect] = dict(zip(IN_FRAME, tab.page.evaluate(BOXES, IN_FRAME), strict=True))
    assert all(place["height"] for place in boxes.values()), boxes
    for name, place in boxes.items():
        assert place["x"] >= 0, name
        assert place["y"] >= 0, name
        assert place["x"] + place["width"] <= SIZES["frame"]["width"], name
        assert place["y"] + place["height"] <= SIZES["frame"]["height"], name
    crossed = [(one, two) for one, two in combinations(boxes, 2) if overlap(boxes[one], boxes[two])]
    assert not crossed
    assert all(boxes[f"{side}-body"]["height"] >= 100 for side in SIDES)


WITHIN_THEIR_ROW = """(labels) => labels.map((label) =>
  label.getBoundingClientRect().right <= label.parentElement.getBoundingClientRect().right)"""


def test_both_heads_are_in_sight_without_scrolling_and_each_pane_has_its_sides_colour(typing_tab: Tab) -> None:
    typing_tab.ask("Hello")
    typing_tab.expect_some_text("streamed")
    for size in ("laptop", "phone"):
        typing_tab.resize(size)
        for name in (f"{side}-{part}" for side in SIDES for part in ("first", "clock")):
            place = box(typing_tab, name)
            assert place["y"] + place["height"] <= SIZES[size]["height"], name
        assert not overlap(box(typing_tab, "streamed-pane"), box(typing_tab, "whole-pane"))
        assert all(typing_tab.page.locator("#speed label").evaluate_all(WITHIN_THEIR_ROW))
    for side in SIDES:
        accent = typing_tab.find(f"{side}-pane").evaluate("(pane) => getComputedStyle(pane).borderTopColor")
        channels = bytes.fromhex(CONSTANTS["colours"][side].removeprefix("#"))
        assert accent == f"rgb({', '.join(map(str, channels))})"


def test_before_and_after_a_run_axe_finds_nothing_and_nothing_scrolls_sideways(open_tab: Tabs, typing_url: str) -> None:
    tab = open_tab(typing_url)
    assert tab.find_violations() == []
    tab.ask("Hello")
    tab.expect_results(1)
    tab.page.locator("#dials > button").click()
    expect(tab.find("temperature")).to_be_visible()
    assert tab.find_violations("#options, #dials, #verdict, #panes, #results") == []


def test_ids_are_there_once(typing_tab: Tab) -> None:
    typing_tab.ask("Hello")
    typing_tab.expect_results(1)
    ids = ["prompt", "generate", "stop", "retry", "clear", "plot-timeline", "plot-latency"]
    ids += [f"{side}-{part}" for side in SIDES for part in ("text", "phase", "ttft", "total", "tokens")]
    assert {name: typing_tab.page.locator(f"[id='{name}']").count() for name in ids} == dict.fromkeys(ids, 1)


def test_the_race_can_be_run_from_the_keyboard_alone(typing_tab: Tab) -> None:
    typing_tab.ask("Hello")
    typing_tab.expect_some_text("streamed")
    typing_tab.prompt.focus()
    reached = []
    for _ in range(24):
        typing_tab.page.keyboard.press("Tab")
        reached.append(typing_tab.page.evaluate("document.activeElement.id || document.activeElement.parentElement.id"))
    for name in ("stop", "retry", "clear", "dials", "streamed-stop", "streamed-body", "whole-stop"):
        assert name in reached, reached


def test_the_text_follows_its_end_unless_the_reader_scrolled_up(typing_tab: Tab) -> None:
    typing_tab.resize("frame")
    typing_tab.ask("Hello")
    distance = "(e) => e.scrollHeight - e.scrollTop - e.clientHeight"
    typing_tab.page.wait_for_function("document.getElementById('streamed-body').scrollTop > 80")
    assert typing_tab.find("streamed-body").evaluate(distance) < 48
    typing_tab.find("streamed-body").evaluate("(e) => { e.scrollTop = 0 }")
    typing_tab.expect_both("done")
    assert typing_tab.find("streamed-body").evaluate("(e) => e.scrollTop") == 0
