"""Recorded runs: in a link, while the model loads, where the server is overloaded, and where there is no model."""

import json
from contextlib import closing
from itertools import product
from pathlib import Path

from playwright.sync_api import expect

from demo.engine import Loading
from demo.engines.replay import Replay
from demo.errors import NotReady, Overloaded
from demo.trace import read_trace, write_fragment
from tests.browser.race import begin
from tests.browser.serving import serve
from tests.browser.tab import Tab, Tabs, read_seconds
from tests.scripted import ScriptedEngine
from tests.traces import make_trace

CHEESE = make_trace(["Cheese ", "is ", "milk", "."], "What is cheese?", gap=0.15)
COUNT = make_trace(["1, ", "2, ", "3."], "Count to 3", gap=0.1)
LABEL = "recorded 2026-11-23 on cpu"
FROM_LINK = "from the link, not from this server's model"
SLOWED = f"{LABEL}, slowed to 30 tokens/s"


def test_a_link_to_a_run_plays_it_again_marked_as_recorded_and_without_the_model(
    open_tab: Tabs, url: str, engine: ScriptedEngine
) -> None:
    tab = open_tab(url, fragment=f"#trace={write_fragment(CHEESE)}")
    tab.expect_both("done")
    assert tab.has_led
    assert tab.read("streamed-text") == tab.read("whole-text") == "Cheese is milk."
    assert tab.read("streamed-label") == tab.read("whole-label") == FROM_LINK
    expect(tab.find("message")).to_have_text("This run comes from the link: it was not made by this server.")
    assert tab.read("streamed-remembered") == tab.read("whole-remembered") == ""
    expect(tab.find("question")).to_have_text("What is cheese?")
    tab.expect_results(1)
    assert abs(read_seconds(tab.read("streamed-ttft")) - 0.15) < 0.01
    assert abs(read_seconds(tab.read("whole-total")) - 0.6) < 0.01
    expect(tab.page.locator("#numbers tbody td").first).to_have_text(f"1 · {FROM_LINK}")
    assert engine.tickets == []


def test_the_link_that_a_page_gives_for_its_run_plays_that_run_in_another_browser(
    tab: Tab, open_tab: Tabs, engine: ScriptedEngine
) -> None:
    tab.ask("Why?")
    ticket = engine.wait_for_ticket()
    ticket.start(input_tokens=1840, cached_tokens=1812)
    ticket.write("Because", " <b>it</b> ", "is 🧀.")
    ticket.finish()
    tab.expect_results(1)
    tab.find("link-run").click()
    link = tab.find("run-link").input_value()
    with serve(Replay([COUNT]), recordings=[COUNT]) as elsewhere, closing(open_tab):
        other = open_tab(elsewhere, fragment="#" + link.split("#")[1])
        other.expect_both("done")
        assert other.read("streamed-text") == "Because <b>it</b> is 🧀."
        assert other.read("streamed-label") == FROM_LINK
        assert other.read("streamed-tokens") == tab.read("streamed-tokens")
        for each, name in product((tab, other), ("streamed-remembered", "whole-remembered")):
            assert each.read(name) == "1,812 of 1,840 prompt tokens remembered"
        for name in ("streamed-ttft", "streamed-total", "whole-total"):
            assert abs(read_seconds(other.read(name)) - read_seconds(tab.read(name))) < 0.002, name


def test_a_link_that_was_tampered_with_is_a_sentence_and_the_page_goes_on(
    open_tab: Tabs, url: str, engine: ScriptedEngine
) -> None:
    fragment = write_fragment(CHEESE)
    for broken in (fragment[:40] + "AAAA" + fragment[44:], "%%%<script>"):  # tests/test_trace.py tries the other ways
        tab = open_tab(url, fragment=f"#trace={broken}")
        expect(tab.find("message")).to_contain_text("copy it again")
    tab.ask("Hello")
    engine.wait_for_ticket().finish()
    tab.expect_both("done")


def test_a_recorded_run_stands_in_while_the_model_loads_or_is_overloaded_says_so_and_the_prompt_stays(
    open_tab: Tabs,
) -> None:
    engine = ScriptedEngine(Loading("reading the weights", 0.3))
    engine.refusal = NotReady("The model is still loading: try again in a few seconds.")
    with serve(engine, recordings=[CHEESE, COUNT]) as url, closing(open_tab):
        tab = open_tab(url, ready=False)
        tab.ask("Count to 3")
        expect(tab.find("message")).to_contain_text("still loading")
        expect(tab.find("message")).to_contain_text("A recorded run is played instead")
        tab.expect_both("done")
        assert (tab.read("streamed-text"), tab.read("streamed-label")) == ("1, 2, 3.", SLOWED)
        engine.refusal = Overloaded("Model is overloaded: try again in a moment.")
        tab.prompt.fill("Something else")
        tab.find("generate").click()
        expect(tab.find("message")).to_contain_text("overloaded")
        tab.expect_text("streamed", "Cheese is milk.")
        tab.expect_both("done")
        assert (tab.read("streamed-text"), tab.read("question")) == ("Cheese is milk.", "What is cheese?")
        assert tab.read("streamed-label") == SLOWED
        expect(tab.prompt).to_have_value("Something else")


def test_without_a_model_the_race_plays_recorded_runs_and_retry_plays_them_again(open_tab: Tabs) -> None:
    with serve(Replay([CHEESE, COUNT]), recordings=[CHEESE, COUNT]) as url, closing(open_tab):
        tab = open_tab(url, "frame", speed=None)
        tab.ask("Count to 3")
        tab.expect_both("done")
        assert (tab.read("streamed-text"), tab.read("streamed-label")) == ("1, 2, 3.", LABEL)
        assert tab.read("message") == ""
        tab.find("retry").click()
        tab.expect_results(2)
        assert tab.read("streamed-label") == LABEL


def test_the_saved_file_is_the_run_and_its_numbers_are_the_pages(tab: Tab, engine: ScriptedEngine) -> None:
    tab.ask("Why?")
    begin(engine, "Be", "cause.").finish("eos_token")
    tab.expect_results(1)
    with tab.page.expect_download() as saved:
        tab.find("save-trace").click()
    document = Path(saved.value.path()).read_text()
    trace = read_trace(document)
    assert [token.text for token in trace.tokens] == ["Be", "cause."]
    assert json.loads(document)["prompt"] == [{"role": "user", "content": "Why?"}]
    assert abs(read_seconds(tab.read("streamed-ttft")) - trace.tokens[0].time) < 0.006
    assert abs(read_seconds(tab.read("whole-total")) - trace.events[-1].time) < 0.006
    with tab.page.expect_download() as saved:
        tab.find("save-table").click()
    lines = Path(saved.value.path()).read_text().splitlines()
    assert lines[0] == "Run,Delivery,TTFT,Total,Tokens,Tokens/s,Ended"
    assert lines[1].split(",")[1:3] == ["Streaming", tab.read("streamed-ttft")]
    for name, start in (("PNG", b"\x89PNG"), ("SVG", b"<svg")):
        with tab.page.expect_download() as saved:
            tab.find("plot-timeline").get_by_role("button", name=name).click()
        assert Path(saved.value.path()).read_bytes().startswith(start)
