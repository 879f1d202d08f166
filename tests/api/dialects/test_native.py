"""text-generation-inference's dialect, byte for byte, and its parameters, each as the engine is asked."""

import time
from dataclasses import replace
from typing import Any

import pytest
from fastapi import FastAPI

from demo.engine import Ready
from demo.events import PromptToken
from demo.request import Message, Sampling
from tests.api.client import NATIVE, assert_refused, fix, parse, post, read_events
from tests.api.script import ENDED, HELD_BACK, HELLO, RANKED, STOPPED, AnsweringEngine, Script, make_token, open_api
from tests.api.visit import begin
from tests.scripted import CARD

FIRST = 'data: {"index":1,"token":{"id":101,"text":"Hé","logprob":-0.25,"special":false},'
TIMINGS = ["validation_time", "queue_time", "inference_time", "total_time", "time_per_token", "time_to_first_token"]
NOT_YET = '"generated_text":null,"details":null}\n\n'


def stream(script: Script, **parameters: Any) -> str:
    return fix(post(open_api(AnsweringEngine(script)), "/generate_stream", parameters=parameters))


def whole(*scripts: Script, **parameters: Any) -> str:
    return fix(post(open_api(AnsweringEngine(*scripts)), "/generate", parameters=parameters))


def test_a_stream_is_one_event_per_token_the_last_with_the_text_and_no_done() -> None:
    second = '{"index":2,"token":{"id":102,"text":"llo","logprob":-1.5,"special":false}'
    assert stream(HELLO) == f'{FIRST}{NOT_YET}data: {second},"generated_text":"Héllo","details":null}}\n\n'


@pytest.mark.parametrize(("script", "logprob", "special"), [(ENDED, -0.125, "true"), (STOPPED, -1.5, "false")])
def test_a_streams_last_event_carries_the_details_when_asked(script: Script, logprob: float, special: str) -> None:
    assert stream(script, details=True) == (
        f'{FIRST}{NOT_YET}data: {{"index":2,"token":{{"id":102,"text":"","logprob":{logprob},"special":{special}}},'
        f'"generated_text":"Hé","details":{{"finish_reason":"{script.reason}","generated_tokens":2,"seed":null,'
        '"input_length":3,"cached_tokens":0,"timings":{}}}\n\n'
    )


def test_a_stream_has_one_event_per_token_even_without_text() -> None:
    events = read_events(stream(HELD_BACK).encode())
    told = [(event["token"]["text"], event["index"], event["generated_text"]) for event in events]
    assert told == [("", 1, None), ("", 2, None), ("日", 3, "日")]


def test_a_stream_has_top_tokens_only_when_asked() -> None:
    assert "top_tokens" not in stream(RANKED)
    assert stream(RANKED, top_n_tokens=2) == (
        'data: {"index":1,"token":{"id":101,"text":"a","logprob":-0.5,"special":false},'
        '"generated_text":null,"details":null,'
        '"top_tokens":[{"id":101,"text":"a","logprob":-0.5,"special":false},'
        '{"id":7,"text":"b","logprob":-1.5,"special":false}]}\n\n'
        'data: {"index":2,"token":{"id":102,"text":"","logprob":-0.5,"special":true},'
        '"generated_text":"a","details":null,'
        '"top_tokens":[{"id":102,"text":"<end>","logprob":-0.5,"special":true},'
        '{"id":7,"text":"b","logprob":-1.5,"special":false}]}\n\n'
    )


def test_the_full_text_begins_with_the_prompt_when_asked() -> None:
    assert whole(HELLO, return_full_text=True) == '{"generated_text":"hiHéllo"}'
    assert read_events(stream(HELLO, return_full_text=True).encode())[-1]["generated_text"] == "hiHéllo"


def test_a_whole_reply_is_the_text_alone_and_that_of_the_bare_url_an_array_of_one(app: FastAPI) -> None:
    assert whole(HELLO) == '{"generated_text":"Héllo"}'
    assert fix(post(app, "/")) == '[{"generated_text":"Héllo"}]'


def test_the_bare_url_streams_when_asked(app: FastAPI) -> None:
    assert fix(post(app, "/", stream=True)) == fix(post(app, "/generate_stream"))


def test_a_whole_reply_carries_the_details_when_asked() -> None:
    assert whole(ENDED, details=True) == (
        '{"generated_text":"Hé","details":{"finish_reason":"eos_token","generated_tokens":2,"seed":null,'
        '"cached_tokens":0,"prefill":[],'
        '"tokens":[{"id":101,"text":"Hé","logprob":-0.25,"special":false},'
        '{"id":102,"text":"","logprob":-0.125,"special":true}]}}'
    )


def test_the_seed_is_reported_for_sampled_tokens() -> None:
    assert parse(whole(HELLO, details=True, do_sample=True))["details"]["seed"] == 7
    assert read_events(stream(HELLO, details=True, top_k=5).encode())[-1]["details"]["seed"] == 7


def test_a_whole_reply_carries_top_tokens_when_asked() -> None:
    details = parse(whole(RANKED, details=True, top_n_tokens=2))["details"]
    assert list(details)[-1] == "top_tokens"
    assert [[each["text"] for each in ranked] for ranked in details["top_tokens"]] == [["a", "b"], ["<end>", "b"]]
    assert "top_tokens" not in parse(whole(RANKED, details=True))["details"]


def test_the_prompts_tokens_are_returned_when_asked() -> None:
    script = Script(HELLO.tokens, prompt=(PromptToken(1, "h", None), PromptToken(2, "i", -2.5)))
    details = '"prefill":[{"id":1,"text":"h","logprob":null},{"id":2,"text":"i","logprob":-2.5}]'
    assert details in whole(script, details=True, decoder_input_details=True)


def test_best_of_returns_the_likeliest_by_the_mean_of_its_logprobs_and_the_other_beside_it() -> None:
    shorter = Script((make_token(1, "meh", -0.75),))
    likelier = Script(tuple(make_token(index, "a", -0.5) for index in (1, 2, 3)))  # by the sum, the shorter one is
    app = open_api(AnsweringEngine(shorter, likelier))
    response = post(app, "/generate", parameters={"best_of": 2, "do_sample": True, "details": True})
    reply = parse(response.content)
    assert (reply["generated_text"], response.headers["x-generated-tokens"]) == ("aaa", "3")
    assert reply["details"]["best_of_sequences"] == [
        {
            "generated_text": "meh",
            "finish_reason": "length",
            "generated_tokens": 1,
            "seed": 7,
            "cached_tokens": 0,
            "prefill": [],
            "tokens": [{"id": 101, "text": "meh", "logprob": -0.75, "special": False}],
        }
    ]
    assert whole(shorter, likelier, best_of=2, do_sample=True) == '{"generated_text":"aaa"}'


def test_a_whole_reply_has_its_timings_in_headers_and_a_stream_in_its_details(app: FastAPI) -> None:
    headers = post(app, "/generate").headers
    names = ("x-compute-type", "x-prompt-tokens", "x-generated-tokens", "x-compute-characters")
    assert [headers[name] for name in names] == ["cpu", "3", "2", "5"]
    stages = ("total-time", "validation-time", "queue-time", "inference-time", "time-per-token")
    assert all(headers[f"x-{stage}"].isdigit() for stage in stages)
    assert all(float(headers[f"x-{each}"]) >= 0 for each in ("compute-time", "time-to-first-token"))
    parts = [part.partition(";dur=") for part in headers["server-timing"].split(", ")]
    assert [name for name, _, _ in parts] == ["queue", "prefill", "decode", "total"]
    assert all(float(value) >= 0 for _, _, value in parts)
    (*_, last) = read_events(post(app, "/generate_stream", parameters={"details": True}).content)
    timings = last["details"]["timings"]
    assert list(timings) == TIMINGS
    assert all(value >= 0 for value in timings.values())


@pytest.mark.anyio
async def test_times_are_told_in_milliseconds_but_for_the_one_that_tgi_tells_in_seconds() -> None:
    engine, visit = await begin("/generate", {"inputs": "hi"})
    engine.ticket().start()
    now = time.perf_counter()
    engine.ticket().write("a", at=now + 0.25)
    engine.ticket().write_last("b", "length", at=now + 0.5)
    await visit.until_ended()
    told = {name: float(visit.headers[f"x-{name}"]) for name in ("inference-time", "time-per-token", "compute-time")}
    assert 500 <= told["inference-time"] <= float(visit.headers["x-total-time"])
    assert told["time-per-token"] == pytest.approx(told["inference-time"] / 2, abs=1)
    assert told["compute-time"] == pytest.approx(told["inference-time"] / 1000, abs=0.001)


def test_a_text_is_a_users_message_unless_it_is_to_be_read_raw() -> None:
    card = replace(CARD, plain_prompts="chat", control_tokens=frozenset({"<|user|>", "<|end|>"}))
    engine = AnsweringEngine(status=Ready(card))
    app, message = open_api(engine), (Message("user", "hi"),)
    bodies: list[tuple[dict[str, Any], Any]] = [
        ({}, message),
        ({"raw": True}, "hi"),
        ({"parameters": {"raw": True}}, "hi"),
        ({"raw": True, "parameters": {"raw": False}}, message),
        ({"inputs": "<|user|>hi"}, "<|user|>hi"),  # somebody's own template
        ({"inputs": "<|use|> end"}, (Message("user", "<|use|> end"),)),
    ]
    for body, expected in bodies:
        assert post(app, "/generate", **body).is_success
        assert engine.requests[-1].prompt == expected


def test_a_stream_has_headers_against_buffering(app: FastAPI) -> None:
    headers = post(app, "/generate_stream").headers
    assert headers["content-type"].startswith("text/event-stream")
    assert headers["cache-control"] == "no-cache, no-transform"
    assert headers["x-accel-buffering"] == "no"
    assert "content-encoding" not in headers


def test_omitted_parameters_sample_and_empty_ones_do_not(app: FastAPI, engine: AnsweringEngine) -> None:
    post(app, "/generate")
    for parameters in ({}, {"do_sample": True}, {"temperature": 0.5}, {"top_k": 3}, {"top_p": 0.5}, {"typical_p": 0.5}):
        post(app, "/generate", parameters=parameters)
    assert [request.sampling.is_random for request in engine.requests[-7:]] == [True, False, *[True] * 5]


def test_the_engine_is_asked_what_the_parameters_say(app: FastAPI, engine: AnsweringEngine) -> None:
    penalties = {"repetition_penalty": 1.1, "frequency_penalty": -0.5}
    sampling = {"temperature": 0.5, "top_k": 3, "top_p": 0.9, "typical_p": 0.8, "seed": 2**64 - 1, **penalties}
    more = {"max_new_tokens": 20, "stop": ["a", "b"], "truncate": 9, "top_n_tokens": 5, "watermark": True}
    for asked in ({**sampling, **more}, {}, {"max_new_tokens": None}):
        assert post(app, "/generate", parameters=asked, unknown=[1]).status_code == 200
    request, default, unlimited = engine.requests[-3:]
    assert (default.max_new_tokens, unlimited.max_new_tokens) == (100, None)
    assert request.sampling == Sampling(False, 0.5, 3, 0.9, 0.8, 1.1, -0.5, seed=2**64 - 1)
    assert (request.prompt, request.max_new_tokens, request.stop) == ("hi", 20, ("a", "b"))
    assert (request.truncate, request.top_n_tokens, request.ignore_eos) == (9, 5, False)


def test_a_stream_and_a_whole_reply_ask_the_engine_the_same(app: FastAPI, engine: AnsweringEngine) -> None:
    for path in NATIVE:
        assert post(app, path, parameters={"seed": 3, "top_k": 5, "stop": ["x"]}).status_code == 200
    first, second, third = engine.requests[-3:]
    assert first == second == third


@pytest.mark.parametrize(
    ("parameters", "name"),
    [({"best_of": 2, "top_k": 3}, "`best_of` > 1"), ({"decoder_input_details": True}, "`decoder_input_details`")],
    ids=["best_of", "decoder_input_details"],
)
def test_what_can_not_be_streamed_is_refused_on_a_stream(app: FastAPI, parameters: dict[str, Any], name: str) -> None:
    for path, more in (("/generate_stream", {}), ("/", {"stream": True})):
        response = post(app, path, **more, parameters=parameters)
        assert_refused(response, path, 422, "validation", f": {name} can't be streamed: ask /generate.")
    assert post(app, "/generate", parameters=parameters).status_code == 200


@pytest.mark.parametrize(
    ("parameters", "wrong"),
    [({"best_of": 2}, "needs sampling: "), ({"best_of": 2, "top_k": 3, "seed": 1}, "can't be used with a `seed`")],
    ids=["greedy", "seed"],
)
def test_several_equal_answers_are_not_generated(app: FastAPI, parameters: dict[str, Any], wrong: str) -> None:
    response = post(app, "/generate", parameters=parameters)
    assert_refused(response, "/generate", 422, "validation", f": `best_of` > 1 {wrong}")
