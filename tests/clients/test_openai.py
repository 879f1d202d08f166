"""openai's client as it is: what it accumulates, sends back, asks for and recognises."""

from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.clients.serving import Served

ASKED: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is Deep Learning?"}]
GO_ON: ChatCompletionMessageParam = {"role": "user", "content": "Go on."}
MODEL = "any"


@pytest.fixture(scope="module")
def client(served: Served) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0)


def chat(client: openai.OpenAI, **asked: Any) -> Any:
    defaults = {"model": MODEL, "messages": ASKED, "max_tokens": 4, "temperature": 0}
    return client.chat.completions.create(**{**defaults, **asked})


def test_a_stream_adds_up_to_a_message_that_is_taken_back_as_history(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model=MODEL, messages=ASKED, max_tokens=8, temperature=0, n=2) as stream:
        for _ in stream:
            pass
        streamed = stream.current_completion_snapshot
    whole = chat(client, max_tokens=8, n=2)
    for one, other in zip(streamed.choices, whole.choices, strict=True):
        assert (one.message.role, one.message.content) == (other.message.role, other.message.content)
    for message in (streamed.choices[0].message, whole.choices[0].message, whole.choices[0].message.model_dump()):
        assert chat(client, messages=[*ASKED, message, GO_ON]).choices[0].message.content


def test_a_begun_answer_is_continued(client: openai.OpenAI) -> None:
    whole = chat(client, max_tokens=8).choices[0].message.content
    begun = chat(client, max_tokens=4).choices[0].message
    assert begun.content + chat(client, messages=[*ASKED, begun]).choices[0].message.content == whole


def test_a_model_is_retrieved_by_its_id(client: openai.OpenAI, served: Served) -> None:
    (listed,) = client.models.list().data
    assert client.models.retrieve(listed.id) == listed
    assert listed.model_dump()["max_model_len"] == served.ask("/info")["max_total_tokens"]
    with pytest.raises(openai.NotFoundError, match=listed.id):
        client.models.retrieve("no/such")


@pytest.mark.parametrize(
    "asked",
    [{"seed": -1}, {"max_tokens": 4.0}, {"top_p": 0}, {"top_p": 1}, {"stop": ""}, {"extra_body": {"top_k": -1}}],
    ids=str,
)
def test_what_the_peers_take_is_taken(client: openai.OpenAI, asked: dict[str, Any]) -> None:
    assert chat(client, **asked).usage.completion_tokens == 4


@pytest.mark.parametrize("path", [{"top_k": 1}, {"min_p": 1.0}], ids=str)
def test_what_keeps_only_the_likeliest_token_is_greedy(client: openai.OpenAI, path: dict[str, Any]) -> None:
    drawn = chat(client, temperature=1.5, seed=1, max_tokens=12, extra_body=path)
    assert drawn.choices[0].message.content == chat(client, max_tokens=12).choices[0].message.content


def test_what_is_ignored_is_named(client: openai.OpenAI) -> None:
    asked: Any = {"model": MODEL, "messages": ASKED, "max_tokens": 1, "user": "me", "extra_body": {"best_off": 2}}
    for stream in (False, True):
        reply = client.chat.completions.with_raw_response.create(**asked, stream=stream)
        assert reply.headers["x-ignored-parameters"] == "user, best_off"


def test_ids_of_a_prompt_are_answered_as_its_text(client: openai.OpenAI) -> None:
    told = chat(client, extra_body={"return_token_ids": True}).model_dump()
    completed = client.completions.create(model=MODEL, prompt=told["prompt_token_ids"], max_tokens=4, temperature=0)
    assert completed.choices[0].text == told["choices"][0]["message"]["content"]
    with pytest.raises(openai.UnprocessableEntityError, match="token id 1000000"):
        client.completions.create(model=MODEL, prompt=[1_000_000])


def test_many_prompts_are_answered_in_one_reply(client: openai.OpenAI) -> None:
    prompts = [f"Question {number}" for number in range(20)]  # as LangChain sends them
    assert len(client.completions.create(model=MODEL, prompt=prompts, max_tokens=1).choices) == 20


@pytest.mark.parametrize(
    "asked",
    [{"messages": [{"role": "user", "content": "word " * 6000}]}, {"max_tokens": 9000}],
    ids=["prompt", "answer"],
)
def test_a_request_beyond_the_context_is_recognised(client: openai.OpenAI, asked: dict[str, Any]) -> None:
    with pytest.raises(openai.BadRequestError, match=r"`inputs` tokens \+ `max_new_tokens` must be <= ") as refused:
        chat(client, **asked)
    assert refused.value.code == "context_length_exceeded"


def test_a_stop_string_stays_in_the_text_where_it_is_asked_for(client: openai.OpenAI) -> None:
    stop = " is"
    kept = chat(client, stop=[stop], max_tokens=20, extra_body={"include_stop_str_in_output": True}).choices[0]
    cut = chat(client, stop=[stop], max_tokens=20).choices[0]
    assert kept.message.content == cut.message.content + stop
    assert kept.stop_reason == cut.stop_reason == stop


def test_the_sampled_token_is_always_among_its_alternatives(client: openai.OpenAI) -> None:
    asked: Any = {"model": MODEL, "prompt": "What is Deep Learning?", "max_tokens": 8, "temperature": 2, "seed": 3}
    for wanted in (0, 2):
        logprobs = client.completions.create(**asked, logprobs=wanted).choices[0].logprobs
        assert logprobs is not None
        for token, likeliest in zip(logprobs.tokens or (), logprobs.top_logprobs or (), strict=True):
            assert token in likeliest
            assert max(wanted, 1) <= len(likeliest) <= wanted + 1
