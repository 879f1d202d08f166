"""What the README calls from JavaScript: both generations of @huggingface/inference, and fetch alone."""

import pytest
from playwright.sync_api import sync_playwright

from tests.browser.chromium import launch
from tests.clients.programs import Program, assert_streamed
from tests.clients.serving import Served
from tests.clients.snippets import find_snippet

LEARNING = "What is Deep Learning?"
TOKENS = 20


@pytest.mark.snippet("js")
def test_the_package_streams_a_text_up_to_a_stop_sequence_and_then_a_chat(ran: Program, served: Served) -> None:
    expected = served.generate("Once upon a time", max_new_tokens=30, stop=["."])
    answer = served.chat("How do you make cheese?", TOKENS)
    assert_streamed(ran, f"{expected}\nIn all: {expected}\n{answer}")


@pytest.mark.snippet("js-old")
def test_the_package_of_2024_streams_what_is_generated(ran: Program, served: Served) -> None:
    expected = served.generate(LEARNING, max_new_tokens=TOKENS)
    assert_streamed(ran, f"{expected}\nIn all: {expected}\n")


@pytest.mark.snippet("fetch")
def test_fetch_alone_streams_in_node(ran: Program, served: Served) -> None:
    assert_streamed(ran, "".join(f"{text}\n" for text in growing_texts(served)))


@pytest.mark.snippet("fetch")
def test_fetch_alone_streams_in_a_browser(served: Served) -> None:
    said: list[str] = []
    expected = growing_texts(served)
    with sync_playwright() as playwright, launch(playwright) as browser:
        page = browser.new_page()
        page.goto(f"{served.url}/docs")
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("console", lambda message: said.append(message.text))
        with page.expect_console_message(lambda message: message.text == expected[-1]):
            page.add_script_tag(content=find_snippet("fetch").aimed_at(served.url), type="module")
    assert said == expected


def growing_texts(served: Served) -> list[str]:
    """The text after each token."""
    body = {"inputs": LEARNING, "parameters": {"max_new_tokens": TOKENS, "details": True}}
    pieces = [token["text"] for token in served.ask("/generate", body)["details"]["tokens"]]
    texts = ["".join(pieces[: count + 1]) for count in range(len(pieces))]
    assert texts[-1] == served.generate(LEARNING, max_new_tokens=TOKENS)
    return texts
