"""A whole reply is the stream, read to its end: over real random models, in every dialect, for many requests."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.engines.local.engine import LocalEngine
from demo.settings import Settings
from tests.api import client
from tests.api.client import CHAT, COMPLETIONS, parse, read_events
from tests.api.script import open_api
from tests.engines.local.conftest import wait_until_loaded
from tests.engines.local.tiny import make_model, make_network

drawn = settings(max_examples=40, database=None, derandomize=True)
prompts = st.sampled_from(["a", "hello there", "日本語 😀", "x" * 40])
stops = st.lists(st.sampled_from(["e", "q", "\n", "zz", "é", "\ufffd"]), max_size=4)
seeds = st.integers(0, 2**64 - 1)
lengths = st.integers(1, 16)


def ask(app: FastAPI, path: str, body: dict[str, Any]) -> bytes:
    response = client.ask(app, "POST", path, json=body)
    assert response.status_code == 200, response.text
    return response.content


@pytest.fixture(scope="module", params=["llama", "recurrent"])
def api(request: pytest.FixtureRequest) -> Iterator[FastAPI]:
    """In front of a real engine with a random model."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # what is so small is only slowed down by more
    # What is reused may be rounded in another way on this path.
    model = make_model(make_network(request.param), Settings(no_prefix_cache=True))
    worker = LocalEngine(lambda report: model, 64)
    wait_until_loaded(worker)
    yield open_api(worker)
    worker.close()
    torch.set_num_threads(threads)


native = st.fixed_dictionaries(
    {"max_new_tokens": lengths, "seed": seeds, "stop": stops, "details": st.just(True)},
    optional={
        "do_sample": st.booleans(),
        "temperature": st.sampled_from([0.01, 0.5, 1.0, 3.0]),
        "top_k": st.integers(1, 300),
        "top_p": st.sampled_from([0.01, 0.5, 0.99]),
        "typical_p": st.sampled_from([0.2, 0.95]),
        "repetition_penalty": st.sampled_from([0.5, 1.3]),
        "frequency_penalty": st.sampled_from([-2.0, 1.0]),
        "top_n_tokens": st.integers(0, 5),
        "truncate": st.integers(7, 12),
        "return_full_text": st.booleans(),
        "raw": st.booleans(),
    },
)


@drawn
@given(prompt=prompts, parameters=native)
def test_tgis_whole_reply_is_its_stream(api: FastAPI, prompt: str, parameters: dict[str, Any]) -> None:
    body = {"inputs": prompt, "parameters": parameters}
    events = read_events(ask(api, "/generate_stream", body))
    whole = parse(ask(api, "/generate", body))
    details, last = whole["details"], events[-1]
    before = prompt if parameters.get("return_full_text") else ""
    assert before + "".join(event["token"]["text"] for event in events) == whole["generated_text"]
    assert [event["token"] for event in events] == details["tokens"]
    assert [event["index"] for event in events] == list(range(1, len(events) + 1))
    assert [event.get("top_tokens") for event in events] == details.get("top_tokens", [None] * len(events))
    assert last["generated_text"] == whole["generated_text"]
    assert all(event["generated_text"] is None and event["details"] is None for event in events[:-1])
    for name in ("finish_reason", "generated_tokens", "seed"):
        assert last["details"][name] == details[name]
    assert details["generated_tokens"] == len(events) <= parameters["max_new_tokens"]
    assert parse(ask(api, "/", body)) == [whole]
    assert read_tokens(ask(api, "/", {**body, "stream": True})) == [event["token"] for event in events]


def read_tokens(body: bytes) -> list[Any]:
    return [event["token"] for event in read_events(body)]


common = {"seed": seeds, "max_tokens": lengths, "stream_options": st.just({"include_usage": True})}
optional = {
    "temperature": st.sampled_from([0, 0.5, 1.0, 2.0]),
    "top_p": st.sampled_from([0.1, 0.9, 1]),
    "stop": stops | st.sampled_from(["e", "q"]),
    "presence_penalty": st.sampled_from([-1.0, 2.0]),
    "n": st.integers(1, 3),
}
conversations = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant"]), "content": prompts}),
    min_size=1,
    max_size=3,
)


def assert_alike(given: Any, expected: Any) -> None:
    """Equal, but for the last bits of numbers: several choices meet in batches of other sizes each time."""
    if isinstance(expected, float):
        assert given == pytest.approx(expected, abs=1e-4)
    elif isinstance(expected, list):
        assert len(given) == len(expected)
        for one, other in zip(given, expected, strict=True):
            assert_alike(one, other)
    elif isinstance(expected, dict):
        assert given.keys() == expected.keys()
        assert_alike(list(given.values()), [expected[key] for key in given])
    else:
        assert given == expected


def ask_both(api: FastAPI, path: str, body: dict[str, Any]) -> list[tuple[list[Any], Any]]:
    """Of each choice the chunks of its stream, in order, and itself whole. Their reasons and counts agree."""
    *chunks, last = read_events(ask(api, path, {**body, "stream": True}))
    whole = parse(ask(api, path, body))
    numbers = sorted({chunk["choices"][0]["index"] for chunk in chunks})
    choices = [[chunk for chunk in chunks if chunk["choices"][0]["index"] == number] for number in numbers]
    assert len(choices) == len(whole["choices"]) == body.get("n", 1)
    for own, choice in zip(choices, whole["choices"], strict=True):
        reasons = [chunk["choices"][0]["finish_reason"] for chunk in own]
        assert reasons == [None] * (len(own) - 1) + [choice["finish_reason"]]
    assert last["usage"] == whole["usage"]
    assert whole["usage"]["completion_tokens"] == len(chunks)
    return list(zip(choices, whole["choices"], strict=True))


@drawn
@given(
    body=st.fixed_dictionaries(
        {**common, "messages": conversations, "logprobs": st.just(True)},
        optional={**optional, "top_logprobs": st.integers(0, 5)},
    )
)
def test_the_whole_chat_is_its_stream(api: FastAPI, body: dict[str, Any]) -> None:
    for chunks, choice in ask_both(api, CHAT, body):
        pieces = [chunk["choices"][0] for chunk in chunks]
        assert "".join(piece["delta"]["content"] for piece in pieces) == choice["message"]["content"]
        given = [each for piece in pieces for each in piece["logprobs"]["content"]]
        assert_alike(given, choice["logprobs"]["content"])


@drawn
@given(body=st.fixed_dictionaries({**common, "prompt": prompts, "logprobs": st.integers(0, 5)}, optional=optional))
def test_the_whole_completion_is_its_stream(api: FastAPI, body: dict[str, Any]) -> None:
    for chunks, choice in ask_both(api, COMPLETIONS, body):
        pieces = [chunk["choices"][0] for chunk in chunks]
        assert "".join(piece["text"] for piece in pieces) == choice["text"]
        for name in ("tokens", "token_logprobs", "top_logprobs", "text_offset"):
            assert_alike([each for piece in pieces for each in piece["logprobs"][name]], choice["logprobs"][name])
        assert chunks[-1]["generated_text"] == choice["text"]


@drawn
@given(prompt=prompts, seed=seeds, length=lengths)
def test_all_dialects_return_the_same_answer(api: FastAPI, prompt: str, seed: int, length: int) -> None:
    parameters = {"do_sample": True, "seed": seed, "max_new_tokens": length, "details": True}
    whole = parse(ask(api, "/generate", {"inputs": prompt, "parameters": parameters}))
    body: dict[str, Any] = {"prompt": prompt, "seed": seed, "max_tokens": length, "logprobs": 0}
    (choice,) = parse(ask(api, COMPLETIONS, body))["choices"]
    assert choice["text"] == whole["generated_text"]
    assert choice["logprobs"]["token_logprobs"] == [token["logprob"] for token in whole["details"]["tokens"]]
    assert read_tokens(ask(api, COMPLETIONS, {**body, "stream": True})) == whole["details"]["tokens"]


@drawn
@given(prompt=prompts, raw=st.booleans())
def test_the_prompts_tokens_are_returned_with_their_logprobs(api: FastAPI, prompt: str, raw: bool) -> None:
    parameters = {"details": True, "decoder_input_details": True, "max_new_tokens": 1, "raw": raw}
    details = parse(ask(api, "/generate", {"inputs": prompt, "parameters": parameters}))["details"]
    if raw:
        pieces = parse(ask(api, "/tokenize", {"inputs": prompt}))
    else:
        messages = [{"role": "user", "content": prompt}]
        pieces = parse(ask(api, "/chat_tokenize", {"messages": messages}))["tokenize_response"]
    assert [token["id"] for token in details["prefill"]] == [piece["id"] for piece in pieces]
    assert [token["logprob"] is None for token in details["prefill"]] == [True] + [False] * (len(pieces) - 1)


@drawn
@given(prompt=prompts, seed=seeds, length=lengths)
def test_plain_text_is_answered_as_the_same_message_is(api: FastAPI, prompt: str, seed: int, length: int) -> None:
    messages = [{"role": "user", "content": prompt}]
    chat = parse(ask(api, CHAT, {"messages": messages, "seed": seed, "max_tokens": length}))
    given = parse(ask(api, COMPLETIONS, {"prompt": prompt, "seed": seed, "max_tokens": length}))
    assert given["choices"][0]["text"] == chat["choices"][0]["message"]["content"]
    assert given["usage"] == chat["usage"]
    templated = parse(ask(api, "/chat_tokenize", {"messages": messages}))["templated_text"]
    parameters = {"do_sample": True, "seed": seed, "max_new_tokens": length}
    spelled = parse(ask(api, "/generate", {"inputs": templated, "parameters": parameters}))
    assert spelled["generated_text"] == given["choices"][0]["text"]


@settings(drawn, max_examples=4)
@given(prompt=prompts, seed=seeds, at=st.integers(0, 15), top=st.integers(0, 5))
def test_what_is_told_of_a_token_does_not_depend_on_stop_strings_or_alternatives(
    api: FastAPI, prompt: str, seed: int, at: int, top: int
) -> None:
    parameters = {"do_sample": True, "seed": seed, "max_new_tokens": 16, "details": True}
    plain = parse(ask(api, "/generate", {"inputs": prompt, "parameters": parameters}))
    text, tokens = plain["generated_text"], plain["details"]["tokens"]
    begun = [text[at : at + 1] + "\0\0", text[at : at + 2] + "☃", text[:1] + "☃"]  # which never are complete
    body = {"inputs": prompt, "parameters": {**parameters, "stop": begun, "top_n_tokens": top}}
    details = parse(ask(api, "/generate", body))["details"]
    assert (details["tokens"], details["finish_reason"]) == (tokens, plain["details"]["finish_reason"])
    assert read_tokens(ask(api, "/generate_stream", body)) == tokens
    if not (stop := text[at : at + 2]):
        return
    cut = parse(ask(api, "/generate", {"inputs": prompt, "parameters": {**parameters, "stop": [stop]}}))
    assert cut["generated_text"] == text[: text.index(stop)]
    assert cut["details"]["finish_reason"] == "stop_sequence"
    for one, other in zip(cut["details"]["tokens"], tokens, strict=False):
        assert {**one, "text": ""} == {**other, "text": ""}
        assert other["text"].startswith(one["text"])


@settings(drawn, max_examples=4)
@given(prompt=prompts, seed=seeds, top=st.integers(0, 3), stops=stops)
def test_the_bytes_of_all_tokens_are_the_texts_and_each_offset_is_a_tokens_place(
    api: FastAPI, prompt: str, seed: int, top: int, stops: list[str]
) -> None:
    body: dict[str, Any] = {"seed": seed, "max_tokens": 16, "stop": stops, "n": 2}
    chat = {**body, "messages": [{"role": "user", "content": prompt}], "logprobs": True, "top_logprobs": top}
    for choice in parse(ask(api, CHAT, chat))["choices"]:
        told = bytes(byte for token in choice["logprobs"]["content"] for byte in token["bytes"])
        assert told.decode(errors="replace") == choice["message"]["content"]
    for choice in parse(ask(api, COMPLETIONS, {**body, "prompt": prompt, "logprobs": top}))["choices"]:
        assert all(len(each) >= top for each in choice["logprobs"]["top_logprobs"])
        offsets = choice["logprobs"]["text_offset"]
        assert offsets == sorted(offsets)
        assert offsets[-1] <= len(choice["text"])
