"""What the README calls from Python, with huggingface_hub and openai as they are."""

import pytest

from tests.clients.programs import Program, assert_streamed, run_program
from tests.clients.serving import Served

CHEESE = "The first step in making cheese is to"
LEARNING = "What is Deep Learning?"
QUESTION = "How do you make cheese?"


@pytest.mark.snippet("python")
def test_huggingface_hub_streams_what_is_generated(ran: Program, served: Served) -> None:
    assert_streamed(ran, served.generate(CHEESE, max_new_tokens=12))


@pytest.mark.snippet("python-details")
def test_huggingface_hub_tells_why_an_answer_ended(ran: Program, served: Served) -> None:
    assert_streamed(ran, served.generate(LEARNING, max_new_tokens=12) + "\nlength, 12 tokens\n")


@pytest.mark.snippet("python-async")
def test_huggingface_hub_streams_to_asyncio(ran: Program, served: Served) -> None:
    assert_streamed(ran, served.generate(LEARNING, max_new_tokens=12))


@pytest.mark.snippet("python-chat")
def test_huggingface_hub_streams_a_chat(ran: Program, served: Served) -> None:
    assert_streamed(ran, served.chat(QUESTION, 20))


@pytest.mark.snippet("openai")
def test_openai_streams_a_chat_and_its_usage(ran: Program, served: Served) -> None:
    assert_streamed(ran, served.chat(QUESTION, 20) + "\n20 tokens\n")


@pytest.mark.snippet("polling")
def test_polling_brings_the_same_text(ran: Program, served: Served) -> None:
    assert (ran.text, ran.complaints) == (served.generate(LEARNING, max_new_tokens=20), "")


@pytest.mark.snippet("webhook")
def test_a_webhook_brings_the_same_text(ran: Program, served: Served) -> None:
    assert (ran.text, ran.complaints) == (served.generate(LEARNING, max_new_tokens=20) + "\n", "")


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
