"""The page's behaviour, with the engine in the test's own hands."""

import re
import threading

import pytest
from playwright.sync_api import expect

from demo.errors import EngineFailed, ModelError, NotReady, Overloaded
from demo.events import Broken, Loading, Message, Ready
from tests.browser.conftest import WORDS
from tests.browser.serving import Served, serve
from tests.browser.tab import LOOK_AWAY, Tabs, read_seconds
from tests.scripted import CARD, ScriptedEngine, ScriptedTicket, TypingEngine

# Whatever a model writes, its raw text is shown as it is: never markup, a template or a script.
TRICKY = 'a  <b>b</b> &amp; ${1 + 1} {{value}} `c` \\n "d"\n\n<script>alert(1)</script> 🧀 漢字 ไทย שלום'

CHEESE = "How do you make cheese?"

SAME = "([one, two]) => document.getElementById(one).textContent === document.getElementById(two).textContent"
COUNT_CHANGES = """() => {
  window.changes = 0;
  const text = document.getElementById("streamed-text");
  const count = () => { changes += text.textContent !== ""; };
  new MutationObserver(count).observe(text, { characterData: true, childList: true, subtree: true });
}"""


class WakingEngine(ScriptedEngine):
    """An engine whose model is there once the test says so."""

    def wake(self) -> None:
        self._status = Ready(CARD)
        self.refusal = None


def watch_cancel(ticket: ScriptedTicket) -> threading.Event:
    """An event that is set when `ticket` has been given back."""
    cancel, cancelled = ticket.cancel, threading.Event()

    def note() -> None:
        cancel()
        cancelled.set()

    ticket.cancel = note  # type: ignore[method-assign]
    return cancelled


def answer(ticket: ScriptedTicket, *texts: str) -> None:
    ticket.start()
    ticket.write(*texts)
    ticket.finish()


def test_text_appears_token_by_token_on_one_side_and_at_once_on_the_other(
    open_tab: Tabs, served: Served, engine: ScriptedEngine
) -> None:
    tab = open_tab(served.url)
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


def test_the_raw_text_is_the_models_and_one_click_away(open_tab: Tabs, served: Served, engine: ScriptedEngine) -> None:
    tab = open_tab(served.url)
    tab.ask(TRICKY.replace("\n", " "))
    answer(engine.tickets[0], *TRICKY)
    tab.expect_both("done")
    for side in ("streamed", "whole"):
        tab.find(f"{side}-raw").click()
        assert tab.find(f"{side}-text").text_content() == TRICKY
        assert tab.copy(f"{side}-copy") == TRICKY
    tab.find("keep").locator("input").check()
    tab.ask("More")
    assert TRICKY in (tab.page.locator("#whole-body .past").first.text_content() or "")


def test_enter_sends_and_shift_enter_starts_a_new_line(open_tab: Tabs, served: Served, engine: ScriptedEngine) -> None:
    tab = open_tab(served.url)
    tab.prompt.fill("")
    tab.prompt.press_sequentially("One")
    tab.prompt.press("Shift+Enter")
    tab.prompt.press_sequentially("two")
    tab.prompt.press("Enter")
    tab.expect_both("queued")
    assert engine.tickets[0].request.prompt == (Message("user", "One\ntwo"),)


@pytest.mark.parametrize("size", ["wide", "frame", "phone"])
def test_the_first_click_starts_a_race(open_tab: Tabs, served: Served, engine: ScriptedEngine, size: str) -> None:
    tab = open_tab(served.url, size, speed=None)
    expect(tab.prompt).to_have_value(CHEESE)
    for button in ("retry", "clear"):
        expect(tab.find(button)).to_be_disabled()
    tab.find("generate").click()
    tab.expect_both("queued")
    assert engine.tickets[0].request.prompt == (Message("user", CHEESE),)
    assert engine.tickets[0].request.pace == 30
    tab.find("stop").click()
    tab.expect_both("stopped")
    tab.page.get_by_role("button", name="What is Deep Learning?").click()
    tab.expect_both("queued")
    assert engine.tickets[1].request.prompt == (Message("user", "What is Deep Learning?"),)
    expect(tab.prompt).to_have_value("What is Deep Learning?")


def test_an_example_in_mid_race_ends_that_and_starts_its_own(
    open_tab: Tabs, served: Served, engine: ScriptedEngine
) -> None:
    tab = open_tab(served.url)
    tab.ask("Hello")
    engine.tickets[0].start()
    engine.tickets[0].write("First")
    tab.expect_text("streamed", "First")
    tab.page.get_by_role("button", name="What is Deep Learning?").click()
    tab.expect_both("queued")
    assert engine.tickets[0].cancelled
    assert engine.tickets[1].request.prompt == (Message("user", "What is Deep Learning?"),)
    assert tab.read("streamed-text") == ""


def test_while_a_race_runs_generate_is_stop_and_each_sides_stop_is_there(
    open_tab: Tabs, served: Served, engine: ScriptedEngine
) -> None:
    tab = open_tab(served.url)
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


def test_a_question_is_asked_afresh_unless_the_conversation_is_to_be_continued(
    open_tab: Tabs, served: Served, engine: ScriptedEngine
) -> None:
    tab = open_tab(served.url)
    expect(tab.find("keep")).to_be_hidden()
    tab.ask("Hello")
    answer(engine.tickets[0], "Hi")
    tab.expect_both("done")
    tab.ask("Fresh")
    assert engine.tickets[1].request.prompt == (Message("user", "Fresh"),)
    assert "Hi" not in tab.read("streamed-body")
    answer(engine.tickets[1], "Yes")
    tab.expect_both("done")
    tab.find("keep").locator("input").check()
    tab.ask("More")
    said = (Message("user", "Fresh"), Message("assistant", "Yes"), Message("user", "More"))
    assert engine.tickets[2].request.prompt == said
    expect(tab.prompt).to_have_value("")
    answer(engine.tickets[2], "Indeed")
    tab.expect_both("done")
    tab.find("edit").click()
    expect(tab.prompt).to_have_value("More")
    tab.ask("Less")
    assert engine.tickets[3].request.prompt == (*said[:2], Message("user", "Less"))


def test_an_answer_that_was_cut_off_can_be_continued(open_tab: Tabs, served: Served, engine: ScriptedEngine) -> None:
    tab = open_tab(served.url)
    tab.ask("Hello")
    answer(engine.tickets[0], "Once upon")
    tab.expect_both("done")
    tab.find("complete").click()
    tab.expect_both("queued")
    assert engine.tickets[1].request.prompt == (Message("user", "Hello"), Message("assistant", "Once upon"))
    engine.tickets[1].start()
    engine.tickets[1].write(" a time")
    engine.tickets[1].finish("eos_token")
    tab.expect_both("done")
    expect(tab.find("complete")).to_be_hidden()
    assert tab.read("streamed-body").split() == ["Hello", "Once", "upon", "Copy", "a", "time"]


def test_how_far_the_prompt_is_read_is_told(open_tab: Tabs, served: Served, engine: ScriptedEngine) -> None:
    tab = open_tab(served.url)
    tab.ask("Hello")
    engine.tickets[0].start(1930)
    engine.tickets[0].read(512, 1930)
    tab.expect_both("reading the prompt: 512 of 1,930 tokens")


def test_the_largest_number_is_the_first_text_and_a_sentence_compares_both(
    open_tab: Tabs, served: Served, engine: ScriptedEngine
) -> None:
    tab = open_tab(served.url)
    tab.ask("Hello")
    engine.tickets[0].start()
    engine.tickets[0].write("One ")
    tab.expect_some_text("streamed")
    waiting = tab.read("whole-first")
    expect(tab.find("whole-first")).not_to_have_text(waiting)
    frozen = tab.read("streamed-first")
    tab.page.wait_for_function("parseFloat(document.getElementById('whole-first').textContent) >= 1")
    engine.tickets[0].write("two")
    engine.tickets[0].finish()
    tab.expect_both("done")
    assert tab.read("streamed-first") == frozen
    assert tab.read("whole-first") == tab.read("whole-clock")
    sooner = read_seconds(tab.read("whole-first")) - read_seconds(tab.read("streamed-first"))
    sentence = re.compile(
        r"The first words came ([\d.]+ m?s) sooner; the last ones (at the same time|.+ (sooner|later))\."
    )
    expect(tab.find("result")).to_have_text(sentence)
    told = sentence.fullmatch(tab.read("result"))
    assert told
    assert abs(read_seconds(told[1]) - sooner) < 0.02
    sizes = "(id) => parseFloat(getComputedStyle(document.getElementById(id)).fontSize)"
    assert tab.page.evaluate(sizes, "streamed-first") > 2 * tab.page.evaluate(sizes, "streamed-clock")


def test_stopping_the_streaming_side_says_what_was_saved_and_the_other_goes_on(
    open_tab: Tabs, served: Served, engine: ScriptedEngine
) -> None:
    tab = open_tab(served.url)
    tab.ask("Hello")
    engine.tickets[0].start()
    engine.tickets[0].write("One ")
    tab.expect_some_text("streamed")
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


def test_stopping_the_waiting_side_shows_nothing_and_the_other_goes_on(
    open_tab: Tabs, served: Served, engine: ScriptedEngine
) -> None:
    tab = open_tab(served.url)
    tab.ask("Hello")
    engine.tickets[0].start()
    engine.tickets[0].write("One ")
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
def test_stop_and_escape_end_both_sides_and_the_work(
    open_tab: Tabs, served: Served, engine: ScriptedEngine, way: str
) -> None:
    tab = open_tab(served.url)
    tab.ask("Hello")
    engine.tickets[0].start()
    engine.tickets[0].write("One ")
    tab.expect_some_text("streamed")
    if way == "stop":
        tab.find("stop").click()
    else:
        tab.page.keyboard.press("Escape")
    tab.expect_both("stopped")
    assert engine.tickets[0].cancelled
    tab.expect_text("streamed", "One")


def test_retry_asks_the_same_turn_again(open_tab: Tabs, served: Served, engine: ScriptedEngine) -> None:
    tab = open_tab(served.url)
    tab.ask("Hello")
    answer(engine.tickets[0], "First")
    tab.expect_both("done")
    tab.find("retry").click()
    tab.expect_both("queued")
    assert engine.tickets[1].request == engine.tickets[0].request
    expect(tab.find("streamed-text")).to_be_empty()
    answer(engine.tickets[1], "Second")
    tab.expect_both("done")
    tab.expect_text("streamed", "Second")
    tab.expect_text("whole", "Second")
    tab.expect_results(2)


def test_retry_while_the_answer_is_written_stops_it_and_begins_again(
    open_tab: Tabs, served: Served, engine: ScriptedEngine
) -> None:
    tab = open_tab(served.url)
    tab.ask("Hello")
    engine.tickets[0].start()
    engine.tickets[0].write("First")
    tab.expect_text("streamed", "First")
    tab.find("retry").click()
    tab.expect_both("queued")
    assert engine.tickets[0].cancelled
    answer(engine.tickets[1], "Second")
    tab.expect_both("done")
    tab.expect_text("whole", "Second")


def test_clear_starts_over(open_tab: Tabs, served: Served, engine: ScriptedEngine) -> None:
    tab = open_tab(served.url)
    tab.ask("Hello")
    answer(engine.tickets[0], "First")
    tab.expect_results(1)
    tab.find("clear").click()
    tab.expect_both("ready")
    assert tab.read("streamed-text") == tab.read("whole-text") == ""
    assert tab.read("whole-ttft") == "–"
    expect(tab.find("plot-timeline")).to_be_hidden()
    tab.ask("And now?")
    assert engine.tickets[1].request.prompt == (Message("user", "And now?"),)


def test_clear_in_mid_answer_stops_the_work(open_tab: Tabs, served: Served, engine: ScriptedEngine) -> None:
    tab = open_tab(served.url)
    tab.ask("Hello")
    engine.tickets[0].start()
    engine.tickets[0].write("First")
    tab.expect_text("streamed", "First")
    tab.find("clear").click()
    tab.expect_both("ready")
    assert engine.tickets[0].cancelled
    assert tab.read("streamed-text") == ""
    expect(tab.find("streamed-clock")).to_have_text("0.00 s")


def test_two_tabs_never_see_each_other(open_tab: Tabs, served: Served, engine: ScriptedEngine) -> None:
    one, two = open_tab(served.url), open_tab(served.url)
    one.ask("I am one")
    two.ask("I am two")
    answer(engine.tickets[1], "for two")
    two.expect_both("done")
    assert one.read("streamed-text") == ""
    answer(engine.tickets[0], "for one")
    one.expect_both("done")
    assert (one.read("whole-text"), two.read("whole-text")) == ("for one", "for two")
    one.find("keep").locator("input").check()
    one.ask("More")
    assert "two" not in str(engine.tickets[2].request.prompt)


def test_closing_the_tab_stops_the_work(open_tab: Tabs, served: Served, engine: ScriptedEngine) -> None:
    tab = open_tab(served.url)
    tab.ask("Hello")
    engine.tickets[0].start()
    engine.tickets[0].write("One ")
    tab.expect_some_text("streamed")
    cancelled = watch_cancel(engine.tickets[0])
    tab.page.close()
    assert cancelled.wait(20)


def test_behind_another_tab_less_is_shown_and_the_tail_still_arrives(open_tab: Tabs, typing_url: str) -> None:
    tab = open_tab(typing_url)
    with tab.page.expect_response(lambda response: "/run/predict" in response.url):
        tab.page.evaluate(LOOK_AWAY)
    tab.page.evaluate(COUNT_CHANGES)
    tab.ask("Hello")
    tab.expect_both("done")
    assert tab.read("streamed-text") == tab.read("whole-text") == "".join(WORDS)
    assert 0 < tab.page.evaluate("changes") < len(WORDS) / 20


def test_an_overload_is_one_sentence_and_the_prompt_stays(
    open_tab: Tabs, served: Served, engine: ScriptedEngine
) -> None:
    tab = open_tab(served.url)
    engine.refusal = Overloaded("All places are taken: try again in a moment.")
    tab.prompt.fill("Hello")
    tab.find("generate").click()
    expect(tab.find("message")).to_have_text("All places are taken: try again in a moment.")
    expect(tab.prompt).to_have_value("Hello")
    expect(tab.find("streamed-clock")).to_have_text("0.00 s")
    engine.refusal = None
    tab.find("generate").click()
    tab.expect_both("queued")
    expect(tab.find("message")).to_be_hidden()


def test_an_empty_prompt_is_refused_in_words(open_tab: Tabs, served: Served) -> None:
    tab = open_tab(served.url)
    tab.prompt.fill("")
    tab.find("generate").click()
    expect(tab.find("message")).to_contain_text("type something first")


def test_a_failure_is_one_sentence_in_both_panes_and_the_next_run_works(
    open_tab: Tabs, served: Served, engine: ScriptedEngine
) -> None:
    tab = open_tab(served.url)
    tab.ask("Hello")
    engine.tickets[0].start()
    engine.tickets[0].fail(EngineFailed("The model failed: try again."))
    tab.expect_both("failed")
    for side in ("streamed", "whole"):
        expect(tab.find(f"{side}-note")).to_have_text("The model failed: try again.")
    tab.find("retry").click()
    tab.expect_both("queued")
    answer(engine.tickets[1], "Fine")
    tab.expect_both("done")


def test_the_page_says_what_is_loading_and_opens_generate_when_ready(open_tab: Tabs) -> None:
    engine = WakingEngine(Loading("converting the weights", 0.4))
    engine.refusal = NotReady("The model is still loading: a moment.")
    with serve(engine) as served:
        tab = open_tab(served.url, ready=False)
        expect(tab.find("model")).to_contain_text("converting the weights 40%")
        expect(tab.find("generate")).to_be_disabled()
        engine.wake()
        expect(tab.find("generate")).to_be_enabled()
        expect(tab.find("model")).to_contain_text("scripted (folder) on cpu, float32")
        open_tab.close()


def test_a_model_that_is_broken_is_said_in_a_sentence(open_tab: Tabs) -> None:
    with serve(ScriptedEngine(Broken(ModelError("The model can't be read: name another.")))) as served:
        tab = open_tab(served.url, ready=False)
        expect(tab.find("model")).to_have_text("The model can't be read: name another.")
        expect(tab.find("generate")).to_be_disabled()
        open_tab.close()


def test_the_clock_runs_while_a_side_is_active_and_rests_afterwards(
    open_tab: Tabs, served: Served, engine: ScriptedEngine
) -> None:
    tab = open_tab(served.url)
    tab.ask("Hello")
    running = tab.read("whole-clock")
    expect(tab.find("whole-clock")).not_to_have_text(running)
    answer(engine.tickets[0], "One")
    tab.expect_both("done")
    tab.page.wait_for_function(SAME, arg=["whole-first", "whole-clock"])
    rested = tab.read("whole-clock")
    tab.expect_results(1)
    assert tab.read("whole-clock") == rested


def test_a_screen_reader_hears_beginnings_and_ends_and_never_a_token(
    open_tab: Tabs, served: Served, engine: ScriptedEngine
) -> None:
    tab = open_tab(served.url)
    tab.ask("Hello")
    expect(tab.find("announcer")).to_have_text("Streaming queued")
    engine.tickets[0].start()
    engine.tickets[0].write("One ")
    tab.expect_some_text("streamed")
    expect(tab.find("announcer")).to_have_text("Streaming queued")
    assert tab.page.locator("[aria-live] #streamed-text, #streamed-text[aria-live]").count() == 0


def test_an_answer_that_is_there_at_once_reaches_both_sides(open_tab: Tabs) -> None:
    with serve(TypingEngine(["All ", "at ", "once"], 0)) as served:
        tab = open_tab(served.url)
        for run in (1, 2, 3):
            tab.ask(f"Question {run}")
            tab.expect_results(run)
            tab.expect_both("done")
            assert tab.read("streamed-text") == tab.read("whole-text") == "All at once"
        open_tab.close()
