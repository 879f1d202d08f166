"""The lesson around its stations: the example, savings, the journey, links, keys, and what is loaded when."""

import re

import httpx2
import pytest
from playwright.sync_api import Page, expect

from demo.request import Message, Sampling
from demo.ui.files import PLACE
from tests.browser.conftest import Stage
from tests.browser.race import begin
from tests.browser.tab import SIZES, Tab, Tabs, read_seconds
from tests.scripted import ScriptedEngine, TypingEngine

BUDGET = 300_000  # bytes of ours before the first interaction


# --- the documentation's example -------------------------------------------------------------------------------------


def test_slowed_to_a_pace_the_measured_numbers_are_the_predicted_and_are_labelled(stage: Stage) -> None:
    engine = TypingEngine(["word "] * 100, 0)
    engine.may_end.clear()
    tab = stage.show(engine)
    choose_example(tab, "100 tokens", "30 tokens/s")
    tab.find("example-run").click()
    for side in ("streamed", "whole"):
        expect(tab.find(f"{side}-label")).to_have_text("slowed to 30 tokens/s")
    expect(tab.find("streamed-pane")).to_be_in_viewport()
    expect(tab.find("example-beside")).to_be_in_viewport(ratio=1)
    assert tab.read_rows("example-beside")[1][1:] == ["–", "–", "–"]
    engine.may_end.set()
    tab.expect_results(1)
    rows = streamed, measured, _, waited = tab.read_rows("example")
    assert tab.read_rows("example-beside") == rows
    assert "Requested 30 tokens/s, measured 30.0: 99 tokens in" in tab.read("example-beside")
    assert streamed[2:] == ["1.67 s", "3.33 s"]
    assert read_seconds(measured[1]) < 0.5
    first = read_seconds(measured[1])
    assert read_seconds(measured[2]) == pytest.approx(first + 49 / 30, rel=0.01)
    assert read_seconds(measured[3]) == pytest.approx(first + 99 / 30, rel=0.01)
    assert waited[1] == waited[2] == waited[3] == measured[3]
    tab.ask("Something else")
    expect(tab.find("example-beside")).to_be_hidden()


def choose_example(tab: Tab, length: str, pace: str) -> None:
    """Turn the example's dials."""
    tab.find("example-pace").get_by_role("combobox").click()
    tab.page.locator(f"li[role=option][aria-label='{pace}']").click()
    tab.find("example-length").get_by_label(length, exact=True).check()
    expect(tab.page.locator("#example caption")).to_contain_text(f"{length} at {pace}")


def test_a_machine_slower_than_the_rate_asked_for_is_said_to_be(stage: Stage) -> None:
    tab = stage.show(TypingEngine(["word "] * 100, 0.02))
    choose_example(tab, "100 tokens", "100 tokens/s")
    tab.find("example-run").click()
    tab.expect_results(1)
    expect(tab.find("example")).to_contain_text("fewer than the requested 100: predicted from it")


def test_the_example_is_one_story_past_any_end_asked_as_the_page_says(tab: Tab, engine: ScriptedEngine) -> None:
    choose_example(tab, "1,000 tokens", "100 tokens/s")
    tab.find("example-run").click()
    request = engine.wait_for_ticket().request
    assert (request.max_new_tokens, request.ignore_eos) == (1000, True)
    assert request.prompt == (Message("user", tab.read("example-question")),)
    assert request.sampling == Sampling(True, temperature=0.6, top_p=0.9, repetition_penalty=1.1, seed=3)
    said = tab.read("station-example")
    for part in ("Temperature 0.6, top p 0.9, repetition penalty 1.1, EOS ignored", "assumes a model"):
        assert part in said
    engine.close()
    tab.expect_both("stopped")


def test_the_chosen_speed_slows_any_race(stage: Stage) -> None:
    tab = stage.show(TypingEngine(["word "] * 13, 0))
    tab.find("speed").get_by_label("30 tokens/s").check()
    tab.ask("Hello")
    tab.expect_both("done")
    assert tab.read("streamed-label") == "slowed to 30 tokens/s"
    assert read_seconds(tab.read("whole-total")) >= 0.4


# --- what would you have saved? --------------------------------------------------------------------------------------


def test_before_a_run_the_example_is_predicted_and_stopping_early_tells_what_was_saved_at_the_price_of_the_dial(
    open_tab: Tabs, url: str, engine: ScriptedEngine
) -> None:
    tab = open_tab(url)
    assert "press Stop in the streaming panel" in tab.read("saved")
    rows = tab.read_rows("example")
    assert rows[0] == ["Streaming, predicted", "at once", "5.00 s", "10.0 s"]
    assert rows[2] == ["Non-streaming, predicted", "10.0 s", "10.0 s", "10.0 s"]
    choose_example(tab, "1,000 tokens", "10 tokens/s")
    expect(tab.find("example")).to_contain_text("100.0 s")
    tab.ask("Why?")
    ticket = begin(engine, "One ", "two ")
    tab.expect_text("streamed", "One two")
    tab.find("streamed-stop").click()
    tab.expect_phase("streamed", "stopped")
    ticket.write("three ", "four")
    ticket.finish()
    tab.expect_results(1)
    rows = tab.read_rows("saved")
    assert [row[1] for row in rows] == ["2", "4", "2", "0"]
    assert rows[2][3] == "$0.000020"
    assert rows[3][3] == "$0.000000"
    price = tab.find("price").locator("input[type=number]")
    price.fill("100")
    price.press("Enter")
    expect(tab.page.locator("#saved tbody tr").nth(2)).to_contain_text("$0.000200")


# --- a token's journey -----------------------------------------------------------------------------------------------


def test_the_journey_tells_each_sides_parts_and_they_add_up_to_what_was_seen(typing_tab: Tab) -> None:
    tab = typing_tab
    tab.ask("Hello")
    tab.expect_results(1)
    tab.find("station-journey").scroll_into_view_if_needed()
    expect(tab.page.locator("#station-journey .main-svg").first).to_be_visible()
    streamed, whole = tab.page.locator("#station-journey .status").inner_text().split(". Non-streaming")
    for part in ("prefill", "Gradio", "paint"):
        assert part in streamed
        assert part in whole
    assert "decode" in whole
    assert "network" not in streamed + whole
    told = sum(read_seconds(each) for each in re.findall(r"[\d.]+ m?s", streamed))
    seen = read_seconds(tab.read("streamed-first"))
    assert told == pytest.approx(seen, abs=0.02)


# --- links -----------------------------------------------------------------------------------------------------------


def test_a_link_restores_prompt_dials_and_section_in_a_fresh_browser(open_tab: Tabs, typing_url: str) -> None:
    tab = open_tab(typing_url)
    tab.prompt.fill("Why & how?")
    tab.page.locator("#dials > button").click()
    seed = tab.find("seed").locator("input, textarea")
    seed.select_text()
    seed.press_sequentially("42", delay=50)
    temperature = tab.find("temperature").locator("input[type=number]")
    temperature.select_text()
    temperature.press_sequentially("0.7", delay=50)
    temperature.press("Enter")
    tab.find("share").scroll_into_view_if_needed()
    tab.find("share").click()
    link = tab.find("shared-link")
    expect(link).to_have_value(re.compile("seed=42"))
    fragment = "#" + link.input_value().split("#")[1]
    assert "station=11" in fragment
    assert "temperature=0.7" in fragment
    other = open_tab(typing_url, fragment=fragment, speed=None)  # choosing a speed would scroll up to it
    expect(other.find("station-room")).to_be_in_viewport()
    expect(other.prompt).to_have_value("Why & how?")
    other.page.locator("#dials > button").first.click()
    expect(other.find("temperature").locator("input[type=number]")).to_have_value("0.7")
    expect(other.find("seed").locator("input, textarea")).to_have_value("42")


def test_a_link_asks_for_presenter_view_and_a_dial_in_it_that_cannot_stand_there_is_a_sentence(
    open_tab: Tabs, typing_url: str
) -> None:
    tab = open_tab(typing_url, fragment="#present=1&prompt=Hi&length=100000")
    expect(tab.find("message")).to_contain_text("length to '100000': it must be from 1 to 1024")
    expect(tab.prompt).to_have_value("How do you make cheese?")
    expect(tab.find("presenter")).to_have_attribute("aria-pressed", "true")


# --- presenter view --------------------------------------------------------------------------------------------------


def size_of(page: Page, selector: str) -> float:
    return float(page.locator(selector).first.evaluate("(e) => parseFloat(getComputedStyle(e).fontSize)"))


def test_presenter_view_is_large_and_its_keys_run_the_lesson(tab: Tab, engine: ScriptedEngine) -> None:
    before = size_of(tab.page, "#streamed-text")
    tab.find("presenter").click()
    assert size_of(tab.page, "#streamed-text") > 1.3 * before
    keys = tab.page.keyboard
    places = {"3": "station-sweep", "0": "station-call", "o": "station-room", "5": "station-perceived", "1": "intro"}
    for key, name in places.items():
        keys.press(key)
        expect(tab.find(name)).to_be_in_viewport()
        assert tab.page.evaluate(f"document.activeElement.closest('#{name}') !== null")
    keys.press("g")
    engine.wait_for_ticket()
    tab.expect_phase("streamed", "queued")
    keys.press("Escape")
    tab.expect_both("stopped")
    tab.expect_results(1)
    keys.press("r")
    engine.wait_for_ticket(2).finish()
    tab.expect_results(2)
    keys.press("p")
    assert size_of(tab.page, "#streamed-text") == before


def test_keys_are_letters_while_somebody_types_and_outside_of_presenter_view(tab: Tab, engine: ScriptedEngine) -> None:
    tab.page.locator("#intro h1").click()
    for key in ("g", "r", "0"):
        tab.page.keyboard.press(key)
    tab.find("presenter").click()
    tab.prompt.fill("")
    tab.page.keyboard.type("grp159")
    expect(tab.prompt).to_have_value("grp159")
    assert engine.tickets == []
    assert tab.page.evaluate("document.body.hasAttribute('data-presenting')")
    tab.find("presenter").click()


# --- the frame, and what is loaded -----------------------------------------------------------------------------------


def test_in_the_documentations_frame_there_is_nothing_but_the_race(open_tab: Tabs, typing_url: str) -> None:
    tab = open_tab(typing_url)
    tab.page.evaluate(
        """() => { const frame = document.createElement("iframe"); frame.id = "embedded"; frame.src = "/?__theme=light";
        frame.width = 850; frame.height = 350; document.body.prepend(frame); }"""
    )
    frame = tab.page.frame_locator("#embedded")
    expect(frame.locator("#generate")).to_be_enabled()
    expect(frame.locator("#streamed-pane")).to_be_visible()
    expect(frame.locator("#lesson")).to_be_hidden()
    height = frame.locator("html").evaluate("(e) => e.scrollHeight")
    assert height <= SIZES["frame"]["height"]


def test_before_the_first_interaction_little_of_ours_is_loaded_and_no_charts(open_tab: Tabs, typing_url: str) -> None:
    tab = open_tab(typing_url, speed=None)
    expect(tab.find("presenter")).to_be_visible()
    asked = tab.page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)")
    own = {url for url in asked if PLACE in url}
    assert own
    assert sum(len(httpx2.get(url).content) for url in own) < BUDGET
    assert not [url for url in own if "plotly" in url]


def test_every_section_of_the_contents_is_there(typing_tab: Tab) -> None:
    links = typing_tab.page.locator("#contents a")
    expect(links).to_have_count(11)
    for number, link in enumerate(links.all(), start=1):
        target = typing_tab.page.locator(link.get_attribute("href") or "")
        if number > 1:
            assert target.locator(".key").first.inner_text() == str(number)
        link.click()
        expect(target).to_be_in_viewport()
