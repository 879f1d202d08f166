"""OpenAI's completions dialect, byte for byte, with TGI's fields beside it; and its parameters."""

from dataclasses import replace
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from demo.api.dialects.prompts import holds_any
from demo.engine import Ready
from demo.events import Candidate, FinishReason
from demo.request import Message, Sampling, TokenIds
from tests.api.client import COMPLETIONS, fix, parse, post, read_events
from tests.api.script import CUT_UP, HELD_BACK, HELLO, RANKED, AnsweringEngine, Script, make_token, open_api
from tests.scripted import CARD

ENVELOPE = (
    '{"id":"cmpl-1","object":"text_completion","created":1,"model":"scripted",'
    '"system_fingerprint":"cpu-float32","choices":'
)
DONE = "data: [DONE]\n\n"
USAGE = '"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"prompt_tokens_details":{"cached_tokens":0}}'
FIRST = '"index":1,"token":{"id":101,"text":"Hé","logprob":-0.25,"special":false},"generated_text":null,"details":null}'
LAST = (
    '"index":2,"token":{"id":102,"text":"llo","logprob":-1.5,"special":false},"generated_text":"Héllo",'
    '"details":{"finish_reason":"length","generated_tokens":2,"seed":7,"input_length":3,"cached_tokens":0,"timings":{}}}'
)


def choice(text: str, reason: str = "null", logprobs: str = "null") -> str:
    end = "" if reason == "null" else ',"stop_reason":null'
    return f'[{{"index":0,"text":"{text}","logprobs":{logprobs},"finish_reason":{reason}{end}}}]'


FIRST_CHOICE, LAST_CHOICE, WHOLE_CHOICE = choice("Hé"), choice("llo", '"length"'), choice("Héllo", '"length"')


def reply(*scripts: Script, **body: Any) -> str:
    return fix(post(open_api(AnsweringEngine(*scripts)), COMPLETIONS, **body))


def test_a_stream_carries_tgis_fields_beside_openais_then_done() -> None:
    assert reply(HELLO, stream=True) == (
        f"data: {ENVELOPE}{FIRST_CHOICE},{FIRST}\n\ndata: {ENVELOPE}{LAST_CHOICE},{LAST}\n\n{DONE}"
    )


def test_usage_is_a_chunk_of_its_own_when_asked() -> None:
    assert reply(HELLO, stream=True, stream_options={"include_usage": True}) == (
        f'data: {ENVELOPE}{FIRST_CHOICE},"usage":null,{FIRST}\n\n'
        f'data: {ENVELOPE}{LAST_CHOICE},"usage":null,{LAST}\n\n'
        f"data: {ENVELOPE}[],{USAGE}}}\n\n{DONE}"
    )


def test_a_whole_reply_is_one_text_with_usage() -> None:
    assert reply(HELLO) == f"{ENVELOPE}{WHOLE_CHOICE},{USAGE}}}"


@pytest.mark.parametrize(("native", "reason"), [("length", "length"), ("eos_token", "stop"), ("stop_sequence", "stop")])
def test_finish_reasons_are_each_dialects_own(native: FinishReason, reason: str) -> None:
    script = replace(HELLO, reason=native)
    assert parse(reply(script))["choices"][0]["finish_reason"] == reason
    first, last = read_events(reply(script, stream=True).encode())
    assert (first["choices"][0]["finish_reason"], first["details"]) == (None, None)
    assert last["choices"][0]["finish_reason"] == reason
    assert last["details"]["finish_reason"] == native


def test_a_stream_has_one_chunk_per_token_even_without_text() -> None:
    chunks = read_events(reply(HELD_BACK, stream=True).encode())
    told = [(chunk["choices"][0]["text"], chunk["index"], chunk["generated_text"]) for chunk in chunks]
    assert told == [("", 1, None), ("", 2, None), ("日", 3, "日")]


def test_logprobs_are_returned_with_offsets_in_the_answer() -> None:
    chosen = '"top_logprobs":[{"Hé":-0.25},{"llo":-1.5}]'
    both = f'{{"tokens":["Hé","llo"],"token_logprobs":[-0.25,-1.5],{chosen},"text_offset":[0,2]}}'
    assert choice("Héllo", '"length"', both) in reply(HELLO, logprobs=0)
    streamed = reply(HELLO, logprobs=0, stream=True)
    assert '{"tokens":["Hé"],"token_logprobs":[-0.25],"top_logprobs":[{"Hé":-0.25}],"text_offset":[0]}' in streamed
    assert '{"tokens":["llo"],"token_logprobs":[-1.5],"top_logprobs":[{"llo":-1.5}],"text_offset":[2]}' in streamed


def test_the_likeliest_tokens_are_returned_when_asked() -> None:
    body = parse(reply(RANKED, logprobs=2))
    assert body["choices"][0]["logprobs"]["top_logprobs"] == [{"a": -0.5, "b": -1.5}, {"<end>": -0.5, "b": -1.5}]
    chunks = read_events(reply(RANKED, logprobs=2, stream=True).encode())
    assert [each["text"] for each in chunks[0]["top_tokens"]] == ["a", "b"]


def test_the_sampled_token_is_among_the_alternatives() -> None:
    likelier = [Candidate(7, "b", -1.5, False), Candidate(8, "d", -2.0, False)]
    body = parse(reply(Script((make_token(1, "c", -3.0, top=likelier),)), logprobs=2))
    assert body["choices"][0]["logprobs"]["top_logprobs"] == [{"c": -3.0, "b": -1.5, "d": -2.0}]


def test_token_ids_are_read_as_they_are(app: FastAPI, engine: AnsweringEngine) -> None:
    for prompt, expected in (([1, 2, 3.0], [(1, 2, 3)]), ([[1, 2], [3]], [(1, 2), (3,)])):
        count = len(engine.requests)
        assert post(app, COMPLETIONS, prompt=prompt).status_code == 200
        assert [request.prompt for request in engine.requests[count:]] == list(map(TokenIds, expected))


def test_tokens_that_share_a_text_have_entries_of_their_own() -> None:
    logprobs = parse(reply(CUT_UP, logprobs=2))["choices"][0]["logprobs"]
    assert logprobs["tokens"] == [r"bytes:\xe6", r"bytes:\x97", r"bytes:\xa5"]
    assert [list(each) for each in logprobs["top_logprobs"][1:]] == [
        [name, r"bytes:\xe6"] for name in logprobs["tokens"][1:]
    ]
    assert logprobs["text_offset"] == [0, 0, 0]
    twins = [Candidate(7, "A", -0.1, False), Candidate(8, "A", -0.2, False), Candidate(9, "A", -0.3, False)]
    script = Script((replace(make_token(1, "A", -0.2, top=twins), id=8),))
    (likeliest,) = parse(reply(script, logprobs=3))["choices"][0]["logprobs"]["top_logprobs"]
    assert likeliest == {"token_id:7": -0.1, "A": -0.2, "token_id:9": -0.3}


@given(st.text("<|ab>", max_size=12), st.frozensets(st.text("<|ab>", min_size=1, max_size=3), max_size=4))
def test_a_text_holds_a_control_token_exactly_where_a_plain_search_finds_one(text: str, tokens: frozenset[str]) -> None:
    assert holds_any(text, tokens) == any(token in text for token in tokens)


BYE = Script((make_token(1, "Bye", -0.5),), "eos_token", input_tokens=4)


def test_several_prompts_are_answered_in_their_order_and_all_counted() -> None:
    engine = AnsweringEngine(HELLO, BYE)
    body = parse(fix(post(open_api(engine), COMPLETIONS, prompt=["one", "two"], n=2)))
    assert [request.prompt for request in engine.requests] == ["one", "one", "two", "two"]
    assert [each["index"] for each in body["choices"]] == [0, 1, 2, 3]
    assert [each["text"] for each in body["choices"]] == ["Héllo", "Bye", "Héllo", "Bye"]
    assert body["usage"]["completion_tokens"] == 6


def test_as_cached_counts_what_all_answers_to_a_prompt_found() -> None:
    scripts = [replace(HELLO, cached_tokens=count) for count in (3, 1, 2, 3)]
    usage = parse(reply(*scripts, prompt=["one", "two"], n=2))["usage"]
    assert (usage["prompt_tokens"], usage["prompt_tokens_details"]) == (6, {"cached_tokens": 3})


@pytest.mark.parametrize(("prompts", "more"), [(128, {}), (64, {"n": 2})])
def test_as_many_choices_are_answered_as_there_may_be(prompts: int, more: dict[str, int]) -> None:
    choices = parse(reply(BYE, prompt=[f"question {number}" for number in range(prompts)], **more))["choices"]
    assert [each["index"] for each in choices] == list(range(128))


def test_a_text_is_a_users_message_unless_it_is_to_be_read_raw() -> None:
    engine = AnsweringEngine(status=Ready(replace(CARD, plain_prompts="chat")))
    for body in ({"prompt": "hi"}, {"prompt": "hi", "raw": True}, {"prompt": [1, 2]}):
        assert post(open_api(engine), COMPLETIONS, **body).is_success
    assert [each.prompt for each in engine.requests] == [(Message("user", "hi"),), "hi", TokenIds((1, 2))]


def test_several_prompts_stream_side_by_side_each_with_its_number() -> None:
    chunks = read_events(reply(HELLO, BYE, prompt=["one", "two"], stream=True).encode())
    texts = {0: "", 1: ""}
    for chunk in chunks:
        texts[chunk["choices"][0]["index"]] += chunk["choices"][0]["text"]
    assert texts == {0: "Héllo", 1: "Bye"}
    assert sorted(c["generated_text"] for c in chunks if c["generated_text"]) == ["Bye", "Héllo"]


def test_equal_prompts_are_each_counted() -> None:
    body = parse(reply(HELLO, prompt=["same", "same"]))
    assert (body["usage"]["prompt_tokens"], body["usage"]["total_tokens"]) == (6, 10)


def test_the_engine_is_asked_what_the_parameters_say(app: FastAPI, engine: AnsweringEngine) -> None:
    post(app, COMPLETIONS, max_tokens=5, temperature=0.5, top_p=0.9, seed=3, stop="two", logprobs=4, presence_penalty=1)
    post(app, COMPLETIONS, temperature=0)
    post(app, COMPLETIONS, max_tokens=None, ignore_eos=True)
    first, second, third = engine.requests[-3:]
    assert first.sampling == Sampling(True, 0.5, None, 0.9, presence_penalty=1.0, seed=3)
    assert (first.prompt, first.max_new_tokens, first.stop, first.top_n_tokens) == ("hi", 5, ("two",), 4)
    assert (second.max_new_tokens, second.sampling) == (100, Sampling())
    assert (third.max_new_tokens, third.sampling) == (None, Sampling(do_sample=True))
    assert [request.ignore_eos for request in (first, second, third)] == [False, False, True]
