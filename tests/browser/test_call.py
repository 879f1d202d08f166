"""Station 9: the programs are the README's, aimed at this server; the strip's numbers are the API's."""

from typing import Any

import httpx2
from playwright.sync_api import expect

from demo.errors import Overloaded
from demo.snippets import read_snippets
from tests.api.script import RANKED, AnsweringEngine
from tests.browser.conftest import Stage
from tests.browser.race import begin
from tests.browser.tab import Tab
from tests.browser.test_events import fix
from tests.clients.snippets import ADDRESS, find_snippet
from tests.scripted import ScriptedEngine

BODY: dict[str, Any] = {"inputs": "What is Deep Learning?", "parameters": {"max_new_tokens": 20}}


def show_station(tab: Tab) -> Tab:
    """The tab, with the station in view and its programs there."""
    tab.find("station-call").scroll_into_view_if_needed()
    expect(tab.find("call-tab-curl")).to_be_visible()
    return tab


def run_program(tab: Tab, name: str) -> str:
    """Run a program and read what it printed."""
    tab.find(f"call-tab-{name}").click()
    tab.find("call-run").click()
    expect(tab.find("call-status")).to_have_text("Done.")
    return tab.find("call-output").text_content() or ""


def test_every_program_of_the_readme_is_shown_with_this_servers_address(typing_tab: Tab, typing_url: str) -> None:
    tab = show_station(typing_tab)
    assert tab.page.locator("#call-tabs [role=tab]").count() == len(read_snippets())
    for snippet in read_snippets():
        tab.find(f"call-tab-{snippet.name}").click()
        text = tab.find("call-text").text_content() or ""
        assert text == find_snippet(snippet.name, typing_url).text
        assert ADDRESS not in text
        expect(tab.find(f"call-tab-{snippet.name}")).to_have_attribute("aria-selected", "true")
        expect(tab.find("call-note")).not_to_be_empty()


def test_the_arrow_keys_lead_through_the_programs(typing_tab: Tab, typing_url: str) -> None:
    tab = show_station(typing_tab)
    tab.find("call-tab-curl").click()
    tab.page.keyboard.press("ArrowRight")
    expect(tab.find("call-tab-python")).to_be_focused()
    assert tab.find("call-text").text_content() == find_snippet("python", typing_url).text
    tab.page.keyboard.press("Home")
    tab.page.keyboard.press("ArrowLeft")
    expect(tab.find("call-tab-webhook")).to_be_focused()
    assert tab.page.locator("#call-tabs [tabindex='0']").count() == 1


def test_what_is_copied_is_what_is_shown(typing_tab: Tab, typing_url: str) -> None:
    tab = show_station(typing_tab)
    tab.find("call-tab-openai").click()
    assert tab.copy("call-copy") == find_snippet("openai", typing_url).text


# Runs a program's own text as the page's console would: what it asks for, and what it logs last.
RUN_TEXT = """async (text) => {
  const asked = [], logged = [];
  const send = (url, options) => {
    asked.push([url, options.method, JSON.parse(options.body)]);
    return fetch(url, options);
  };
  await new (async () => {}).constructor("console", "fetch", text)({ log: (line) => logged.push(line) }, send);
  return [asked, logged.at(-1)];
}"""


def test_what_is_run_asks_and_prints_what_the_shown_program_does(typing_tab: Tab, typing_url: str) -> None:
    tab = show_station(typing_tab)
    with tab.page.expect_request(f"{typing_url}/generate_stream") as sent:
        printed = run_program(tab, "fetch")
    asked, logged = tab.page.evaluate(RUN_TEXT, find_snippet("fetch", typing_url).text)
    assert asked == [[sent.value.url, sent.value.method, sent.value.post_data_json]]
    assert printed == logged
    command = find_snippet("curl", typing_url).text
    assert sent.value.url in command
    assert f"-d '{sent.value.post_data}'" in command


def test_the_commands_request_prints_the_stream_as_it_is(typing_tab: Tab, typing_url: str) -> None:
    tab = show_station(typing_tab)
    printed = run_program(tab, "curl")
    assert fix(printed) == fix(httpx2.post(f"{typing_url}/generate_stream", json=BODY).text)
    expect(tab.find("call-note")).to_contain_text("the same request, sent by this browser")


def test_what_can_not_run_here_says_so_and_has_no_button(typing_tab: Tab) -> None:
    tab = show_station(typing_tab)
    for name in ("python", "openai", "js"):
        tab.find("call-tab-curl").click()
        expect(tab.find("call-run")).to_be_visible()
        tab.find(f"call-tab-{name}").click()
        expect(tab.find("call-run")).to_be_hidden()
        expect(tab.find("call-stop")).to_be_hidden()
        expect(tab.find("call-note")).to_contain_text("install")


def test_stop_ends_a_program_and_its_work(tab: Tab, engine: ScriptedEngine) -> None:
    show_station(tab)
    for number, name in enumerate(("fetch", "curl"), 1):
        tab.find(f"call-tab-{name}").click()
        tab.find("call-run").click()
        ticket = begin(engine, "One ", number=number)
        expect(tab.find("call-output")).to_contain_text("One")
        tab.find("call-stop").click()
        assert ticket.stopped.wait(20)
        expect(tab.find("call-status")).to_have_text("Stopped.")


def test_a_refusal_of_a_program_is_one_sentence(tab: Tab, engine: ScriptedEngine) -> None:
    show_station(tab)
    engine.refusal = Overloaded("Model is overloaded: try again in a moment.")
    for name in ("fetch", "curl"):
        tab.find(f"call-tab-{name}").click()
        tab.find("call-run").click()
        expect(tab.find("call-status")).to_have_text("Model is overloaded: try again in a moment.")
        tab.expect_complaint(429)


def show_tokens(tab: Tab, question: str, tokens: int = 48) -> None:
    tab.find("heat-question").fill(question)
    tab.find("heat-tokens").fill(str(tokens))
    tab.find("heat-run").click()
    expect(tab.find("heat-status")).to_contain_text("Done:")


def read_table(tab: Tab) -> list[list[str]]:
    if tab.find("heat-table").is_hidden():
        tab.find("heat-as-table").click()
    return tab.read_rows("heat-table")


def test_a_special_token_is_spelled_out_and_no_part_of_the_text(stage: Stage) -> None:
    tab = show_station(stage.show(AnsweringEngine(RANKED)))
    show_tokens(tab, "hi")
    special = tab.page.locator("#heat-strip .special")
    expect(special).to_have_text("<end>")
    expect(special).to_have_attribute("data-text", "")
    assert read_table(tab) == [
        ["1", "101", '"a"', "-0.5000", "60.7 %", "no"],
        ["2", "102", "<end>", "-0.5000", "60.7 %", "yes"],
    ]


def test_the_arrow_keys_lead_through_the_tokens_by_one_tab_stop(typing_tab: Tab) -> None:
    tab = show_station(typing_tab)
    show_tokens(tab, "hi", 8)
    assert tab.page.locator("#heat-strip [tabindex='0']").count() == 1
    tab.page.locator("#heat-strip [role=option]").nth(2).hover()
    expect(tab.page.locator("#heat-facts dd").first).to_have_text("3")
    tab.page.locator("#heat-strip [tabindex='0']").focus()
    tab.page.keyboard.press("ArrowRight")
    assert tab.page.locator("#heat-facts dd").all_inner_texts() == ["4", "4", '"word3 "', "-0.5000", "60.7 %", "no"]
    tab.page.keyboard.press("End")
    expect(tab.page.locator("#heat-facts dd").first).to_have_text("8")
    assert tab.page.locator("#heat-strip [tabindex='0']").count() == 1


def test_stop_ends_the_strip_and_its_work(tab: Tab, engine: ScriptedEngine) -> None:
    show_station(tab)
    tab.find("heat-run").click()
    ticket = begin(engine, "One ")
    expect(tab.page.locator("#heat-strip [role=option]")).to_have_count(1)
    tab.find("heat-stop").click()
    assert ticket.stopped.wait(20)
    expect(tab.find("heat-status")).to_have_text("Stopped.")


def test_nobody_is_shut_out_of_it(stage: Stage) -> None:
    tab = show_station(stage.show(AnsweringEngine(RANKED)))
    run_program(tab, "curl")
    show_tokens(tab, "hi")
    assert read_table(tab)
    assert tab.find_violations("#station-call") == []
