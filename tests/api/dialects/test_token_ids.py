"""vLLM's additions to OpenAI's replies: ids of prompt and tokens, and the usage so far."""

from typing import Any

import pytest

from tests.api.client import CHAT, OPENAI, fix, parse, post, read_events
from tests.api.script import HELLO, AnsweringEngine, Script, make_token, open_api

BYE = Script((make_token(1, "Bye", -0.5),), "eos_token")
IDS = [5, 6, 7]
both = pytest.mark.parametrize("path", OPENAI)


def ask(path: str, **body: Any) -> list[Any]:
    """The events of a stream, or the one whole reply."""
    text = fix(post(open_api(AnsweringEngine(HELLO, BYE)), path, n=2, **body))
    return read_events(text.encode()) if body.get("stream") else [parse(text)]


def find_prompt_ids(reply: Any) -> list[Any]:
    """Wherever they stand: in a chat beside the choices, in a completion in each of them."""
    return [place["prompt_token_ids"] for place in (reply, *reply["choices"]) if "prompt_token_ids" in place]


@both
def test_ids_are_returned_when_asked(path: str) -> None:
    (whole,) = ask(path, return_token_ids=True)
    assert [choice["token_ids"] for choice in whole["choices"]] == [[101, 102], [101]]
    assert find_prompt_ids(whole) == [IDS] * (1 if path == CHAT else 2)
    chunks = ask(path, return_token_ids=True, stream=True)
    assert sorted(choice["token_ids"] for chunk in chunks for choice in chunk["choices"]) == [[101], [101], [102]]
    assert sorted(map(find_prompt_ids, chunks)) == [[], [IDS], [IDS]]


@both
def test_ids_are_left_out_when_not_asked(path: str) -> None:
    for reply in (*ask(path), *ask(path, stream=True)):
        assert find_prompt_ids(reply) == []
        assert not any("token_ids" in choice for choice in reply["choices"])


@both
def test_each_chunk_has_the_usage_of_its_choice_so_far_when_asked(path: str) -> None:
    options = {"include_usage": True, "continuous_usage_stats": True}
    *chunks, last = ask(path, stream=True, stream_options=options)
    usages = [(chunk["choices"][0]["index"], chunk["usage"]) for chunk in chunks]
    counts = [(index, usage["completion_tokens"], usage["total_tokens"]) for index, usage in usages]
    assert sorted(counts) == [(0, 1, 4), (0, 2, 5), (1, 1, 4)]
    assert (last["choices"], last["usage"]["completion_tokens"]) == ([], 3)


@both
def test_the_stop_string_that_ended_an_answer_is_its_stop_reason(path: str) -> None:
    engine = AnsweringEngine(Script(HELLO.tokens, "stop_sequence", stop="!"), HELLO)
    body = {"n": 2, "stop": ["!", "?"], "include_stop_str_in_output": True}
    whole = parse(post(open_api(engine), path, **body).content)
    reasons = [(each["finish_reason"], each["stop_reason"]) for each in whole["choices"]]
    assert reasons == [("stop", "!"), ("length", None)]
    assert [request.keeps_stop for request in engine.requests] == [True, True]
    chunks = read_events(post(open_api(engine), path, **body, stream=True).content)
    ended = [choice for chunk in chunks for choice in chunk["choices"] if "stop_reason" in choice]
    assert sorted(str(each["stop_reason"]) for each in ended) == ["!", "None"]
    assert all(each["finish_reason"] for each in ended)
