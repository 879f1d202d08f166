"""A race on the page, with the engine in the test's own hands."""

import re

import pytest
from playwright.sync_api import expect

from demo.request import Message
from demo.settings import Settings
from tests.browser.conftest import WORDS, Stage
from tests.browser.race import answer, begin, run_race, start_race
from tests.browser.serving import serve
from tests.browser.tab import LOOK_AWAY, LOOK_BACK, Tab, Tabs, read_seconds
from tests.scripted import ScriptedEngine, TypingEngine

# Whatever a model writes, its raw text is shown as it is: never markup, a template or a script.
TRICKY = 'a  <b>b</b> &amp; ${1 + 1} {{value}} `c` \\n "d"\n\n<script>alert(1)</script> 🧀 漢字 ไทย שלום'

CHEESE = "How do you make cheese?"

SAME = "([one, two]) => document.getElementById(one).textContent === document.getElementById(two).textContent"
# The wall-clock time of the next click, in milliseconds.
NOTE_CLICK = "addEventListener('click', () => { window.clicked = Date.now(); }, { capture: true, once: true })"
COUNT_CHANGES = """() => {
  window.changes = 0;
  const text = document.getElementById("streamed-text");
  const count = () => { changes += text.textContent !== ""; };
  new MutationObserver(count).observe(text, { characterData: true, childList: true, subtree: true });
}"""


def test_text_appears_token_by_token_on_one_side_and_at_once_on_the_other(tab: Tab, engine: ScriptedEngine) -> None:
    tab.ask("Hello")
    tab.expect_both("queued")
    (ticket,) = engine.tickets
    ticket.start()
    tab.expect_both("reading the prompt")
    shown = ""
    for text in ("One ", "two ", "three"):
        ticket.write(text)
        shown += text
        expect(tab.find("streamed-text")).to_have_text(shown.strip())
        tab.expect_phase("streamed", "writing")
        tab.expect_phase("whole", "waiting")
        assert tab.read("whole-text") == ""
    ticket.finish()
    tab.expect_both("done")
    tab.expect_text("whole", "One two three")
    assert tab.read("streamed-tokens") == tab.read("whole-tokens") == "3"


def test_the_raw_text_is_the_models_and_one_click_away(tab: Tab, engine: ScriptedEngine) -> None:
    run_race(tab, engine, TRICKY.replace("\n", " "), *TRICKY)
    for side in ("streamed", "whole"):
        tab.find(f"{side}-raw").click()
        assert tab.find(f"{side}-text").text_content() == TRICKY
        assert tab.copy(f"{side}-copy") == TRICKY
    tab.find("keep").locator("input").check()
    tab.ask("More")
    assert TRICKY in (tab.page.locator("#whole-body .past").first.text_content() or "")


def test_enter_sends_and_shift_enter_starts_a_new_line(tab: Tab, engine: ScriptedEngine) -> None:
    tab.prompt.fill("")
    tab.prompt.press_sequentially("One")
    tab.prompt.press("Shift+Enter")
    tab.prompt.press_sequentially("two")
    tab.prompt.press("Enter")
    tab.expect_both("queued")
    assert engine.tickets[0].request.prompt == (Message("user", "One\ntwo"),)


def test_the_first_click_starts_a_race_in_every_size(open_tab: Tabs, url: str, engine: ScriptedEngine) -> None:
    tab = open_tab(url, "frame", speed=None)
    expect(tab.prompt).to_have_value(CHEESE)
    for size in ("frame", "wide", "phone"):
        tab.resize(size)
        for button in ("retry", "clear"):
            expect(tab.find(button)).to_be_disabled()
        tab.find("generate").click()
        tab.expect_both("queued")
        assert engine.tickets[-1].request.prompt == (Message("user", CHEESE),)
        assert engine.tickets[-1].request.pace == 30
        tab.find("stop").click()
        tab.expect_both("stopped")
        tab.page.get_by_role("button", name="What is Deep Learning?").click()
        tab.expect_both("queued")
        assert engine.tickets[-1].request.prompt == (Message("user", "What is Deep Learning?"),)
        expect(tab.prompt).to_have_value("What is Deep Learning?")
        tab.find("clear").click()
        tab.expect_both("ready")
        tab.prompt.fill(CHEESE)


def test_an_example_in_mid_race_ends_that_and_starts_its_own(tab: Tab, engine: ScriptedEngine) -> None:
    start_race(tab, engine, "First")
    tab.page.get_by_role("button", name="What is Deep Learning?").click()
    tab.expect_both("queued")
    assert engine.tickets[0].cancelled
    assert engine.tickets[1].request.prompt == (Message("user", "What is Deep Learning?"),)
    assert tab.read("streamed-text") == ""


def test_while_a_race_runs_generate_is_stop_and_each_sides_stop_is_there(tab: Tab, engine: ScriptedEngine) -> None:
    expect(tab.find("stop")).to_be_hidden()
    expect(tab.find("streamed-stop")).to_be_hidden()
    place = tab.find("generate").bounding_box()
    tab.find("generate").focus()
    tab.page.keyboard.press("Enter")
    tab.expect_both("queued")
    expect(tab.find("generate")).to_be_hidden()
    expect(tab.find("stop")).to_be_focused()
    assert tab.find("stop").bounding_box() == place
    tab.find("streamed-stop").click()
    tab.expect_phase("streamed", "stopped")
    expect(tab.find("streamed-stop")).to_be_hidden()
    expect(tab.find("whole-stop")).to_be_visible()
    answer(engine.tickets[0], "One")
    tab.expect_phase("whole", "done")
    expect(tab.find("whole-stop")).to_be_hidden()
    expect(tab.find("generate")).to_be_visible()


def test_how_far_the_prompt_is_read_is_told(tab: Tab, engine: ScriptedEngine) -> None:
    tab.ask("Hello")
    engine.tickets[0].start(1930)
    engine.tickets[0].read(512, 1930)
    tab.expect_both("reading the prompt: 512 of 1,930 tokens")


def test_the_largest_number_is_the_first_text_and_a_sentence_compares_both(tab: Tab, engine: ScriptedEngine) -> None:
    tab.page.evaluate(NOTE_CLICK)
    start_race(tab, engine, "One ")
    waiting = tab.read("whole-first")
    expect(tab.find("whole-first")).not_to_have_text(waiting)
    tab.page.wait_for_function("Number(document.getElementById('streamed-text').dataset.paintedAt) > clicked")
    tab.page.wait_for_function("parseFloat(document.getElementById('whole-first').textContent) >= 1")
    frozen = tab.read("streamed-first")
    engine.tickets[0].write("two")
    engine.tickets[0].finish()
    tab.expect_both("done")
    assert tab.read("streamed-first") == frozen
    seconds = tab.page.evaluate("(Number(document.getElementById('streamed-text').dataset.paintedAt) - clicked) / 1000")
    assert read_seconds(frozen) == pytest.approx(seconds, abs=0.06)
    assert tab.read("whole-first") == tab.read("whole-clock")
    sooner = read_seconds(tab.read("whole-first")) - read_seconds(tab.read("streamed-first"))
    sentence = re.compile(
        r"The first words came ([\d.]+ m?s) sooner; the last ones (at the same time|.+ (sooner|later))\."
    )
    expect(tab.find("result")).to_have_text(sentence)
    told = sentence.fullmatch(tab.read("result"))
    assert told
    assert abs(read_seconds(told[1]) - sooner) < 0.11  # each of the three is rounded
    sizes = "(id) => parseFloat(getComputedStyle(document.getElementById(id)).fontSize)"
    assert tab.page.evaluate(sizes, "streamed-first") > 2 * tab.page.evaluate(sizes, "streamed-clock")


def test_stopping_the_streamed_side_says_what_was_saved_and_the_other_goes_on(tab: Tab, engine: ScriptedEngine) -> None:
    start_race(tab, engine, "One ")
    engine.tickets[0].write("two ")
    tab.expect_text("streamed", "One two")
    tab.find("streamed-stop").click()
    tab.expect_phase("streamed", "stopped")
    expect(tab.find("streamed-note")).to_contain_text("stopped at token 2 of up to 256, up to")
    tab.expect_phase("whole", "waiting")
    answer(engine.tickets[0], "three")
    tab.expect_phase("whole", "done")
    tab.expect_text("whole", "One two three")
    tab.expect_text("streamed", "One two")
    expect(tab.find("streamed-note")).to_contain_text("stopped at token 2 of 3,")


def test_stopping_the_waiting_side_shows_nothing_and_the_other_goes_on(tab: Tab, engine: ScriptedEngine) -> None:
    start_race(tab, engine, "One ")
    tab.expect_phase("whole", "waiting")
    tab.find("whole-stop").click()
    tab.expect_phase("whole", "stopped")
    expect(tab.find("whole-note")).to_contain_text("nothing had been shown")
    engine.tickets[0].write("two")
    engine.tickets[0].finish()
    tab.expect_phase("streamed", "done")
    tab.expect_text("streamed", "One two")
    assert tab.read("whole-text") == ""


@pytest.mark.parametrize("way", ["stop", "Escape"])
def test_stop_and_escape_end_both_sides_and_the_work(tab: Tab, engine: ScriptedEngine, way: str) -> None:
    start_race(tab, engine, "One ")
    if way == "stop":
        tab.find("stop").click()
    else:
        tab.page.keyboard.press("Escape")
    tab.expect_both("stopped")
    assert engine.tickets[0].cancelled
    tab.expect_text("streamed", "One")


def test_behind_another_tab_less_is_shown_and_the_tail_still_arrives(typing_tab: Tab) -> None:
    with typing_tab.page.expect_response(lambda response: "/run/predict" in response.url):
        typing_tab.page.evaluate(LOOK_AWAY)
    typing_tab.page.evaluate(COUNT_CHANGES)
    typing_tab.ask("Hello")
    typing_tab.expect_both("done")
    assert typing_tab.read("streamed-text") == typing_tab.read("whole-text") == "".join(WORDS)
    assert 0 < typing_tab.page.evaluate("changes") < len(WORDS) / 20
    with typing_tab.page.expect_response(lambda response: "/run/predict" in response.url):
        typing_tab.page.evaluate(LOOK_BACK)


def test_the_clock_runs_while_a_side_is_active_and_rests_afterwards(tab: Tab, engine: ScriptedEngine) -> None:
    tab.ask("Hello")
    running = tab.read("whole-clock")
    expect(tab.find("whole-clock")).not_to_have_text(running)
    answer(engine.tickets[0], "One")
    tab.expect_both("done")
    tab.page.wait_for_function(SAME, arg=["whole-first", "whole-clock"])
    rested = tab.read("whole-clock")
    tab.expect_results(1)
    assert tab.read("whole-clock") == rested


def test_a_screen_reader_hears_beginnings_and_ends_and_never_a_token(tab: Tab, engine: ScriptedEngine) -> None:
    tab.ask("Hello")
    expect(tab.find("announcer")).to_have_text("Streaming queued")
    begin(engine, "One ")
    tab.expect_some_text("streamed")
    expect(tab.find("announcer")).to_have_text("Streaming queued")
    assert tab.page.locator("[aria-live] #streamed-text, #streamed-text[aria-live]").count() == 0


def test_an_answer_that_is_there_at_once_reaches_both_sides(stage: Stage) -> None:
    tab = stage.show(TypingEngine(["All ", "at ", "once"], 0))
    for run in (1, 2, 3):
        tab.ask(f"Question {run}")
        tab.expect_results(run)
        tab.expect_both("done")
        assert tab.read("streamed-text") == tab.read("whole-text") == "All at once"


def test_a_page_with_a_key_asks_its_visitor_for_it_and_then_works(open_tab: Tabs) -> None:
    with serve(TypingEngine(["Hi"], 0.0), Settings(port=0, api_key="secret-key")) as url:
        german = open_tab(url, ready=False, fragment="&lang=de")
        expect(german.page.locator("label")).to_contain_text("Diese Seite verlangt ein Passwort.")
        tab = open_tab(url, ready=False)
        for given in ("wrong", "secret-key"):
            tab.page.locator("#password").fill(given)
            tab.page.get_by_role("button", name="Open the page").click()
            if given == "wrong":
                expect(tab.find("login-message")).to_contain_text("This is not the password")
        tab.wait_until_ready()
        german.complaints.clear()  # Chromium's own, about 401
        tab.complaints.clear()
        tab.ask("Hello")
        tab.expect_text("whole", "Hi")
        open_tab.close()
