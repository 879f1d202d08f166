"""What was reused of a prompt, as the clients that people have read it; before a script, which knows the figures."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.api.script import HELLO, AnsweringEngine
from tests.api.serving import serve_api
from tests.clients.programs import run_program

CHAT = '[{"role": "user", "content": "Hello"}]'


@pytest.fixture
def engine() -> AnsweringEngine:
    return AnsweringEngine(replace(HELLO, input_tokens=840, cached_tokens=812))


@pytest.fixture
def url(engine: AnsweringEngine) -> Iterator[str]:
    with serve_api(engine) as url:
        yield url


def test_openai_reads_it_in_usage_and_asks_to_do_without(url: str, engine: AnsweringEngine) -> None:
    source = f"""
from openai import OpenAI
client = OpenAI(base_url="{url}/v1", api_key="-")
chat = dict(model="tgi", messages={CHAT}, extra_body={{"cache_prompt": False}})
text = dict(model="tgi", prompt="Hello")
usages = []
for create, asked in ((client.chat.completions.create, chat), (client.completions.create, text)):
    usages.append(create(**asked).usage)
    *_, last = create(**asked, stream=True, stream_options={{"include_usage": True}})
    usages.append(last.usage)
for usage in usages:
    print(usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens, type(usage.prompt_tokens_details).__name__)
"""
    ran = run_program("python", source)
    assert (ran.text, ran.complaints) == ("840 812 PromptTokensDetails\n" * 4, "")
    assert [request.cache_prompt for request in engine.requests] == [False, False, True, True]
    assert len({request.client for request in engine.requests}) == 1


def test_huggingface_hub_reads_it_beside_what_it_knows(url: str) -> None:
    source = f"""
from huggingface_hub import InferenceClient
client = InferenceClient("{url}")
print(client.text_generation("Hello", details=True).details.cached_tokens)
*_, last = client.text_generation("Hello", details=True, stream=True)
print(last.details.input_length, last.details.cached_tokens)
print(client.chat_completion({CHAT}).usage.prompt_tokens_details)
*_, last = client.chat_completion({CHAT}, stream=True, stream_options={{"include_usage": True}})
print(last.usage.prompt_tokens, last.usage.prompt_tokens_details)
"""
    ran = run_program("python", source)
    assert ran.text == "812\n840 812\n{'cached_tokens': 812}\n840 {'cached_tokens': 812}\n"
    assert ran.complaints == ""
