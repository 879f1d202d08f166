"""The programs in Python, with huggingface_hub and openai as they are, and the one for curl."""

import json
from collections.abc import Sequence

import pytest

from tests.clients.programs import Program, assert_answered, assert_streamed, run_program
from tests.clients.serving import Served
from tests.clients.snippets import run_snippets

LEARNING = "What is Deep Learning?"
QUESTION = "How do you make cheese?"


@run_snippets("python")
def test_huggingface_hub_streams_what_is_generated(ran: Program, served: Served) -> None:
    assert_streamed(ran, print_lines(served.list_tokens(QUESTION, max_new_tokens=12)))


@run_snippets("python-details")
def test_huggingface_hub_tells_all_of_a_token_and_at_the_end_the_text(ran: Program, served: Served) -> None:
    texts = served.list_tokens(QUESTION, max_new_tokens=12)
    lines = ran.text.splitlines()
    assert_answered(ran)
    assert len(lines) == len(texts)
    for line, text in zip(lines, texts, strict=True):
        assert line.startswith("TextGenerationStreamOutput(")
        assert f"text={text!r}" in line
    assert f"generated_text={''.join(texts)!r}" in lines[-1]
    assert "finish_reason='length', generated_tokens=12" in lines[-1]


@run_snippets("python-async")
def test_huggingface_hub_streams_to_asyncio(ran: Program, served: Served) -> None:
    assert_streamed(ran, print_lines(served.list_tokens(QUESTION)))


@run_snippets("python-chat")
def test_huggingface_hub_streams_a_chat(ran: Program, served: Served) -> None:
    assert_streamed(ran, served.chat(QUESTION, 20))


@run_snippets("openai")
def test_openai_streams_a_chat_and_its_usage(ran: Program, served: Served) -> None:
    assert_streamed(ran, served.chat(QUESTION, 20) + "\n20 tokens\n")


@run_snippets("polling")
def test_polling_brings_the_same_text(ran: Program, served: Served) -> None:
    assert (ran.text, ran.complaints) == (served.generate(LEARNING, max_new_tokens=20), "")


@run_snippets("webhook")
def test_a_webhook_brings_the_same_text(ran: Program, served: Served) -> None:
    assert (ran.text, ran.complaints) == (served.generate(LEARNING, max_new_tokens=20) + "\n", "")


@run_snippets("curl")
def test_curl_prints_each_token_as_its_own_event_and_then_the_whole_text(ran: Program, served: Served) -> None:
    *events, end = ran.text.split("\n\n")
    assert end == ""
    told = [json.loads(event.removeprefix("data: ")) for event in events]
    expected = served.generate(LEARNING, max_new_tokens=20)
    assert "".join(event["token"]["text"] for event in told) == expected
    assert [event["generated_text"] for event in told] == [None] * 19 + [expected]
    assert len(ran.pieces) > 1


def print_lines(texts: Sequence[str]) -> str:
    """As `print` prints each."""
    return "".join(f"{text}\n" for text in texts)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_huggingface_hub_raises_validation_errors(stream: bool, served: Served) -> None:
    source = f"""
from huggingface_hub import InferenceClient
from huggingface_hub.errors import ValidationError
try:
    InferenceClient("{served.url}").text_generation("Hello", max_new_tokens=100_000, stream={stream})
except ValidationError as error:
    print(error)
"""
    ran = run_program("python", source)
    assert ran.text.startswith("Input validation error: ")
    assert str(served.ask("/info")["max_total_tokens"]) in ran.text
    assert ran.complaints == ""
