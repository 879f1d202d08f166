"""One question after another: the conversation, Retry, Clear, haste, and other tabs."""

from playwright.sync_api import expect

from demo.request import Message
from tests.browser.conftest import Stage
from tests.browser.race import answer, begin, run_race, start_race
from tests.browser.tab import Tab, Tabs
from tests.scripted import ScriptedEngine, TypingEngine


def test_a_question_is_asked_afresh_unless_the_conversation_is_continued(tab: Tab, engine: ScriptedEngine) -> None:
    expect(tab.find("keep")).to_be_hidden()
    run_race(tab, engine, "Hello", "Hi")
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


def test_an_answer_that_was_cut_off_can_be_continued(tab: Tab, engine: ScriptedEngine) -> None:
    run_race(tab, engine, "Hello", "Once upon")
    tab.find("complete").click()
    tab.expect_both("queued")
    assert engine.tickets[1].request.prompt == (Message("user", "Hello"), Message("assistant", "Once upon"))
    engine.tickets[1].start()
    engine.tickets[1].write(" a time")
    engine.tickets[1].finish("eos_token")
    tab.expect_both("done")
    expect(tab.find("complete")).to_be_hidden()
    assert tab.read("streamed-body").split() == ["Hello", "Once", "upon", "Copy", "a", "time"]


def test_retry_asks_the_same_turn_again(tab: Tab, engine: ScriptedEngine) -> None:
    run_race(tab, engine, "Hello", "First")
    tab.find("retry").click()
    tab.expect_both("queued")
    assert engine.tickets[1].request == engine.tickets[0].request
    expect(tab.find("streamed-text")).to_be_empty()
    answer(engine.tickets[1], "Second")
    tab.expect_both("done")
    tab.expect_text("streamed", "Second")
    tab.expect_text("whole", "Second")
    tab.expect_results(2)


def test_retry_while_the_answer_is_written_stops_it_and_begins_again(tab: Tab, engine: ScriptedEngine) -> None:
    start_race(tab, engine, "First")
    tab.find("retry").click()
    tab.expect_both("queued")
    assert engine.tickets[0].cancelled
    answer(engine.tickets[1], "Second")
    tab.expect_both("done")
    tab.expect_text("whole", "Second")


def test_clear_starts_over(tab: Tab, engine: ScriptedEngine) -> None:
    run_race(tab, engine, "Hello", "First")
    tab.expect_results(1)
    tab.find("clear").click()
    tab.expect_both("ready")
    assert tab.read("streamed-text") == tab.read("whole-text") == ""
    assert tab.read("whole-ttft") == "–"
    expect(tab.find("plot-timeline")).to_be_hidden()
    tab.ask("And now?")
    assert engine.tickets[1].request.prompt == (Message("user", "And now?"),)


def test_clear_in_mid_answer_stops_the_work(tab: Tab, engine: ScriptedEngine) -> None:
    start_race(tab, engine, "First")
    tab.find("clear").click()
    tab.expect_both("ready")
    assert engine.tickets[0].cancelled
    assert tab.read("streamed-text") == ""
    expect(tab.find("streamed-clock")).to_have_text("0.00 s")


def test_what_is_asked_right_after_clearing_is_always_answered_on_both_sides(stage: Stage) -> None:
    """Gradio's client loses what is asked between two of its streams."""
    tab = stage.show(TypingEngine(["Yes", "."], 0.02))
    for _ in range(8):
        tab.ask("Say yes")
        expect(tab.page.locator("#numbers tbody tr")).to_have_count(2)
        assert tab.read("whole-text") == tab.read("streamed-text") == "Yes."
        tab.find("clear").click()
        expect(tab.find("streamed-ttft")).to_have_text("–")


def test_two_tabs_never_see_each_other_and_closing_one_stops_its_work(
    tab: Tab, open_tab: Tabs, url: str, engine: ScriptedEngine
) -> None:
    one, two = tab, open_tab(url)
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
    two.ask("Again")
    begin(engine, "One ", number=4)
    two.expect_some_text("streamed")
    two.page.close()
    assert engine.tickets[3].stopped.wait(20)
    assert not engine.tickets[2].cancelled
