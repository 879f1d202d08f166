"""The number of cached prompt tokens: the same wherever the number of prompt tokens is reported."""

import json
import logging
import time
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from tests.api.client import CHAT, COMPLETIONS, OPENAI, PATIENCE, STREAMED, WHOLE, parse, post, read_events
from tests.api.script import HELLO, AnsweringEngine, Script, make_token, open_api
from tests.api.serving import serve_api
from tests.engines.test_metered import read_metrics

REUSED = replace(HELLO, input_tokens=840, cached_tokens=812)


def open_reusing(*scripts: Script) -> FastAPI:
    return open_api(AnsweringEngine(*(scripts or (REUSED,))))


def read_usage(response: httpx2.Response) -> Any:
    """A whole reply's, or a stream's."""
    is_stream = response.headers["content-type"].startswith("text/event-stream")
    return (read_events(response.content)[-1] if is_stream else parse(response.content))["usage"]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("path", OPENAI)
def test_usage_counts_a_prompt_once_and_as_cached_what_no_answer_had_to_compute(path: str, streamed: bool) -> None:
    app = open_reusing(REUSED, replace(REUSED, cached_tokens=0), REUSED, replace(REUSED, cached_tokens=16), REUSED)
    for n, cached in ((1, 812), (2, 0), (2, 16)):
        body = {"n": n, "stream": streamed, "stream_options": {"include_usage": True}}
        usage = read_usage(post(app, path, **body))
        assert (usage["prompt_tokens"], usage["prompt_tokens_details"]) == (840, {"cached_tokens": cached})


def test_prompts_beside_each_other_are_summed() -> None:
    other = Script((make_token(1, "Bye", -0.5),), input_tokens=40, cached_tokens=32)
    usage = read_usage(post(open_reusing(REUSED, REUSED, other, other), COMPLETIONS, prompt=["a", "b"], n=2))
    assert (usage["prompt_tokens"], usage["prompt_tokens_details"]["cached_tokens"]) == (880, 844)


@pytest.mark.parametrize(("path", "body"), [each for each in (*STREAMED, *WHOLE) if each[0] not in OPENAI])
def test_native_details_have_it(path: str, body: dict[str, Any]) -> None:
    response = post(open_reusing(), path, **body, parameters={"details": True})
    if response.headers["content-type"] == "application/json":
        reply = parse(response.content)
        assert (reply[0] if path == "/" else reply)["details"]["cached_tokens"] == 812
    else:
        details = read_events(response.content)[-1]["details"]
        assert (details["input_length"], details["cached_tokens"]) == (840, 812)


def test_each_answer_of_best_of_has_its_own() -> None:
    likelier = Script((make_token(1, "a", -0.1),), input_tokens=840, cached_tokens=0)
    parameters = {"best_of": 2, "do_sample": True, "details": True}
    details = parse(post(open_reusing(REUSED, likelier), "/generate", parameters=parameters).content)["details"]
    assert details["cached_tokens"] == 0
    assert details["best_of_sequences"][0]["cached_tokens"] == 812


def test_a_job_has_it_polled_streamed_and_posted() -> None:
    def find_details(reply: dict[str, Any]) -> Any:
        return reply["details"]["input_length"], reply["details"]["cached_tokens"]

    with serve_api(AnsweringEngine(REUSED)) as url, httpx2.Client(base_url=url, trust_env=False) as client:
        begun = client.post("/jobs", json={"inputs": "hi", "webhook_url": "/webhooks/inbox/mine"}).json()
        assert find_details(client.get(f"/jobs/{begun['id']}").json()) == (840, 812)
        last = client.get(f"/jobs/{begun['id']}/events").text.split("data: ")[-1]
        assert find_details(parse(last)) == (840, 812)
        deadline = time.monotonic() + PATIENCE
        while not (deliveries := client.get("/webhooks/inbox/mine").json()["deliveries"]):
            assert time.monotonic() < deadline, "nothing was posted"
        assert find_details(parse(deliveries[0]["body"])["data"]) == (840, 812)


def test_metrics_count_them_beside_the_tokens_of_prompts() -> None:
    app = open_reusing(replace(REUSED, cached_tokens=0), REUSED)
    post(app, "/generate")
    assert read_metrics(app)["tgi_request_cached_tokens"] == 0
    post(app, CHAT, n=2)
    samples = read_metrics(app)
    assert (samples["tgi_request_input_length_sum"], samples["tgi_request_cached_tokens"]) == (3 * 840, 812)


def test_the_access_log_has_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="demo.access")
    post(open_reusing(), "/generate")
    (answer,) = parse(caplog.records[-1].getMessage())["answers"]
    assert (answer["prompt_tokens"], answer["cached_tokens"]) == (840, 812)


def test_all_of_it_is_documented(app: FastAPI) -> None:
    schemas = app.openapi()["components"]["schemas"]
    for name in ("Parameters", "ChatRequest", "CompletionRequest"):
        asked = schemas[name]["properties"]["cache_prompt"]
        assert (asked["default"], "llama.cpp" in asked["description"]) == (True, True)
    for name in ("Details", "OtherSequence", "StreamDetails", "PromptTokensDetails"):
        assert "cached_tokens" in schemas[name]["required"]
    assert "prompt_tokens_details" in json.dumps(schemas["Usage"])
