"""The page in each of its languages: no English is left in what is translated, and nothing overflows."""

import json
import re
from dataclasses import replace
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

from demo.ui.files import PLACE, TEXTS
from demo.ui.session import Session
from demo.ui.view.options import GenerationOptions
from demo.ui.view.tables import NO_RUN, NOT_STOPPED, describe_source, list_moments
from demo.ui.view.words import CONSTANTS, describe_cached, describe_pace, describe_phase, describe_reasoning
from tests.browser.tab import Tab, Tabs
from tests.browser.test_layout import assert_in_sight

ENGLISH: Final = re.compile(r"\b(?:the|of|is|and|after|requests?|with|your|first|try)\b")
TERMS: Final = re.compile(r"[Tt]ime[ -]to[ -]first[ -](?:token|paint)|retry-after-ms")  # the same in every language
OTHERS: Final = [language for language in CONSTANTS["languages"] if language != "en"]
# Every text on the page, but for what people, models and programs wrote.
READ: Final = """() => {
  const found = [];
  const isRead = (node) => {
    const nearest = node.closest("[translate], script, style, pre, code");
    return !nearest || nearest.getAttribute("translate") === "yes";
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const whole = node.parentElement.closest("p, li, td, th, dt, dd"); // a sentence with words of another kind in it
    if (isRead(node.parentElement)) found.push(whole?.querySelector("[id]") === null ? whole.textContent : node.data);
  }
  for (const name of ["title", "aria-label", "placeholder"]) {
    const named = [...document.querySelectorAll(`[${name}]`)].filter(isRead);
    found.push(...named.map((node) => node.getAttribute(name)));
  }
  return found.map((text) => text.replace(/\\s+/g, " ").trim());
}"""
TRANSLATE: Final = """async ([place, language, marks, texts]) => {
  const { createTranslator } = await import(`${place}/page/translator.js`);
  const { default: dictionary } = await import(`${place}/texts/${language}.js`);
  return texts.map(createTranslator(dictionary, marks));
}"""


def read(tab: Tab) -> set[str]:
    """The texts of words."""
    texts: list[str] = tab.page.evaluate(READ)
    return {text for text in texts if re.search("[A-Za-z]{3}", text)}


def find_english(texts: set[str], language: str) -> list[str]:
    """Those that are no names or terms, which are the same in a language."""
    translated: dict[str, str] = json.loads((TEXTS / f"{language}.json").read_text("utf-8"))
    same = [re.sub(r"\\{\w+\\}", ".+", re.escape(english)) for english, text in translated.items() if english == text]
    named = {re.sub(r"^\d+ ", "", text) for text in texts} - NAMES
    return [text for text in named if not any(re.fullmatch(pattern, text) for pattern in same)]


NAMES: Final = {
    *(language["name"] for language in CONSTANTS["languages"].values()),
    *("Token streaming", "PNG", "SVG", "tokens/s", "x-queue-time; tgi_request_queue_duration"),
    *("vLLM bench serve", "guidellm", "aiperf, genai-perf", "inference-benchmarker", "inference-perf", "llmperf"),
}


@pytest.mark.parametrize("language", OTHERS)
def test_a_race_is_told_in_the_language_that_the_address_names(
    open_tab: Tabs, typing_tab: Tab, typing_url: str, language: str
) -> None:
    english = read(typing_tab)
    tab = open_tab(typing_url, fragment=f"&lang={language}", speed=None)
    assert tab.page.locator("html").get_attribute("lang") == language
    assert find_english(read(tab) & english, language) == []

    typing_tab.ask("Stop")
    tab.ask("Stop")
    tab.resize("frame")
    tab.expect_some_text("streamed")
    assert_in_sight(tab)
    tab.expect_results(1)
    typing_tab.expect_results(1)
    for size in ("laptop", "phone", "wide"):
        tab.resize(size)
    expect(tab.find("question")).to_have_text("Stop")  # what a person wrote stays
    assert find_english(read(tab) & read(typing_tab), language) == []
    for name in ("streamed-first", "whole-first", "whole-clock"):
        assert re.fullmatch(r"\d+,\d+ s", tab.read(name))

    other = next(each for each in CONSTANTS["languages"] if each != language)
    tab.find("languages").locator(f"[lang={other}]").click()
    expect(tab.page.locator("html")).to_have_attribute("lang", other)
    expect(tab.find("languages").locator("[aria-current]")).to_have_text(CONSTANTS["languages"][other]["name"])


def test_stations_tell_in_a_language_what_they_measured(open_tab: Tabs, typing_url: str) -> None:
    tab = open_tab(typing_url, fragment=f"&lang={OTHERS[0]}", speed=None)
    tab.find("station-ways").scroll_into_view_if_needed()
    tab.find("ways-length").select_option("32")
    tab.find("ways-begin").click()
    expect(tab.find("ways-results")).to_be_visible()
    tab.find("heat-run").scroll_into_view_if_needed()
    tab.find("heat-run").click()
    expect(tab.find("heat-as-table")).to_be_enabled()
    tab.find("heat-as-table").click()
    expect(tab.find("heat-table").locator("tbody tr")).to_have_count(48)
    assert [text for text in read(tab) if ENGLISH.search(TERMS.sub("", text))] == []
    assert tab.read("ways-streamed-text").startswith("word0 word1")  # what a model wrote stays


def list_sentences() -> list[str]:
    """What the views say in cases that a race does not come to by itself."""
    example = GenerationOptions(1000, pace=100)
    return [
        describe_phase("queued", queue=(0, None)),
        describe_phase("queued", queue=(1, 2.5)),
        describe_phase("queued", queue=(3, 2.5)),
        describe_phase("reading", progress=(1024, 20480)),
        describe_phase("queued", elsewhere=True),
        describe_cached((12, 1030)),
        describe_reasoning(0.072, 4.2),
        describe_pace(30, 12.0),
        describe_pace(30, None),
        "recorded 2026-11-28 on cpu, slowed to 30 tokens/s",
        "stopped at token 12 of up to 256, up to 3.40 s of waiting saved",
        "stopped after 1.20 s: nothing had been shown",
        "the model repeats itself: ended after 96 tokens",
        *(describe_source(replace(example, pace=pace), rate) for pace, rate in ((100, 12.5), (None, 40.0), (30, None))),
        *(cell for row in list_moments(example, 100.0, None) for cell in row if len(cell) > 5),
        NO_RUN,
        NOT_STOPPED,
        "Model is overloaded: 8 requests are being answered, which is the limit. Try again in about 2.5 s. "
        "A recorded run is played instead.",
        "Request failed during generation: out of memory. Ask for a shorter answer, or again when fewer requests are "
        "being answered.",
        "1 · recorded 2026-11-28 on cpu · 12 of 30 prompt tokens remembered",
        *refuse(),
    ]


def refuse() -> list[str]:
    """What a session says to a question that it can't ask."""
    session, sentences = Session(), list[str]()
    for question, closed in (("", False), ("Why?", True)):
        session.closed = closed
        with pytest.raises(Exception, match=r"\w") as raised:
            session.check(question)
        sentences.append(str(raised.value))
    return sentences


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_of_the_server_is_translated_with_its_numbers(modules: Page, language: str) -> None:
    sentences = list_sentences()
    marks: dict[str, Any] = CONSTANTS["languages"][language]
    told: list[str] = modules.evaluate(TRANSLATE, [PLACE, language, marks, [*sentences, "1,024", "0.19 s", "12.5%"]])
    *translated, count, seconds, share = told
    group = marks["group"]
    assert [count, seconds, share] == [f"1{group}024", "0,19 s", "12,5\N{NO-BREAK SPACE}%"]
    assert [text for text in translated if ENGLISH.search(text)] == []
    assert any(f"20{group}480" in text for text in translated)


def test_a_text_is_found_whole_by_pattern_or_by_sentences_and_else_stays(modules: Page) -> None:
    texts = {"A {one} and {#two}.": "{#two}, {one}!", "Done.": "Fertig.", "x": "X"}
    asked = ["A x and 1.5.", "A x and y.", "Done. Unknown.", "Unknown", "x · x"]
    written = modules.evaluate(
        """async ([place, texts, asked]) => {
          const { createTranslator } = await import(`${place}/page/translator.js`);
          return asked.map(createTranslator(texts, { decimal: ",", group: "." }));
        }""",
        [PLACE, texts, asked],
    )
    assert written == ["1,5, X!", "A x and y.", "Fertig. Unknown.", "Unknown", "X ·\N{NO-BREAK SPACE}X"]
