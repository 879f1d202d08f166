"""The programs in JavaScript: both generations of @huggingface/inference, and fetch alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.browser.chromium import launch
from tests.clients.programs import HERE, Program, assert_answered, assert_streamed, run_program
from tests.clients.serving import Served
from tests.clients.snippets import find_snippet, run_snippets
from tests.readme import ROOT

LEARNING = "What is Deep Learning?"
TOKENS = 20


@run_snippets("js-chat")
def test_the_package_streams_a_chat(ran: Program, served: Served) -> None:
    assert_streamed(ran, served.chat("How do you make cheese?", TOKENS))


@pytest.mark.parametrize("raw", [True, False])
def test_the_package_hands_parameters_on_and_tells_the_text_at_the_end(raw: bool, served: Served) -> None:
    source = f"""
import {{ InferenceClient }} from "@huggingface/inference";
const client = new InferenceClient("-", {{ endpointUrl: "{served.url}" }});
const parameters = {{ max_new_tokens: 60, temperature: 0, stop: ["."], raw: {str(raw).lower()} }};
for await (const r of client.textGenerationStream({{ inputs: "Once upon a time", parameters }})) {{
  process.stdout.write(r.token.text);
  if (r.generated_text) console.log(`\\nIn all: ${{r.generated_text}}`);
}}
"""
    expected = served.generate("Once upon a time", max_new_tokens=60, stop=["."], raw=raw)
    assert_streamed(run_program("js", source, HERE / "js4"), f"{expected}\nIn all: {expected}\n")


@run_snippets("js", "js-old")
def test_the_package_of_today_and_that_of_2023_stream_an_answer(ran: Program) -> None:
    assert_answered(ran)


@run_snippets("js-old")
def test_the_package_of_2024_does_where_a_model_is_named(name: str, folder: Path, served: Served) -> None:
    source = find_snippet(name, served.url).text.replace("'@huggingface/inference'", "'inference-2.8'")
    named = "{ model: 'tgi', inputs: prompt }"
    assert named in (ROOT / "demo" / "api" / "README.md").read_text("utf-8")
    assert_answered(run_program("js", source.replace("{ inputs: prompt }", named), folder))


@run_snippets("fetch")
def test_fetch_alone_streams_in_node(ran: Program, served: Served) -> None:
    assert_streamed(ran, "".join(f"{text}\n" for text in growing_texts(served)))


@run_snippets("fetch")
def test_fetch_alone_streams_in_a_browser(name: str, served: Served) -> None:
    expected = growing_texts(served)
    with run_in_browser(name, served, len(expected)) as (_, said):
        assert said == expected


@run_snippets("eventsource")
def test_an_event_source_streams_a_job_in_a_browser_and_is_closed_at_its_end(name: str, served: Served) -> None:
    expected = served.list_tokens(LEARNING, max_new_tokens=TOKENS)
    with run_in_browser(name, served, len(expected)) as (page, said):
        assert said == expected
        page.wait_for_function("opened.readyState === EventSource.CLOSED")
        report = served.ask(page.evaluate("new URL(opened.url).pathname.replace('events', 'report')"))
    assert (report["streamed"]["requests"], report["streamed"]["arrivals"][-1][1]) == (1, TOKENS)


@contextmanager
def run_in_browser(name: str, served: Served, lines: int) -> Iterator[tuple[Page, list[str]]]:
    """A page of the server on which the snippet has printed so many lines, and what is on its console."""
    said: list[str] = []
    with sync_playwright() as playwright, launch(playwright) as browser:
        page = browser.new_page()
        page.add_init_script(
            "EventSource = class extends EventSource { constructor(url) { super(url); window.opened = this; } }"
        )
        page.goto(f"{served.url}/docs")
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("console", lambda message: said.append(message.text))
        with page.expect_console_message(lambda message: len(said) == lines):
            page.add_script_tag(content=find_snippet(name, served.url).text, type="module")
        yield page, said


def growing_texts(served: Served) -> list[str]:
    """The text after each token."""
    pieces = served.list_tokens(LEARNING, max_new_tokens=TOKENS)
    texts = ["".join(pieces[: count + 1]) for count in range(len(pieces))]
    assert texts[-1] == served.generate(LEARNING, max_new_tokens=TOKENS)
    return texts
