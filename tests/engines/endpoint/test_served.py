"""What clients and the page are told of an engine elsewhere: its refusals, unknown ids, arrivals, its own figures."""

import json

import pytest
from fastapi import FastAPI

from demo.api.application import create_api
from demo.engine import Ready
from demo.engines.endpoint.engine import EndpointEngine
from demo.engines.metered import MeteredEngine
from demo.run import Run
from demo.settings import Settings
from demo.trace import read_trace, trace_run, write_trace
from demo.ui.components.pane import write_run
from demo.ui.listeners.race import describe_status
from demo.ui.view.panes import Reading, view_reading
from demo.ui.view.words import Side
from tests.api.client import STREAMED, ask, post, read_events
from tests.engines.endpoint import peers
from tests.engines.endpoint.opened import CHAT, open_scripted
from tests.engines.endpoint.opened import read_events as follow
from tests.engines.endpoint.peers import GREETING
from tests.engines.endpoint.scripted_server import Reply


def open_api(engine: EndpointEngine) -> FastAPI:
    return create_api(MeteredEngine(engine), Settings())


def test_overload_behind_is_a_true_429_on_every_streaming_route() -> None:
    full = Reply(503, {"error": {"message": "full", "code": 503}})
    with open_scripted(peers.make_vllm(GREETING, *[full] * len(STREAMED))) as (engine, _):
        app = open_api(engine)
        replies = [post(app, path, **body) for path, body in STREAMED]
    assert [reply.status_code for reply in replies] == [429] * len(STREAMED)
    assert all(reply.headers["retry-after"] for reply in replies)


def test_an_id_that_is_not_told_is_null_in_tgis_dialect_and_alternatives_without_ids_are_refused_there() -> None:
    with open_scripted(peers.make_plain()) as (engine, _):
        app = open_api(engine)
        events = read_events(post(app, "/generate_stream", parameters={"details": True}).content)
        refused = post(app, "/generate", parameters={"top_n_tokens": 2})
    assert [event["token"]["id"] for event in events] == [None, None, None]
    assert events[-1]["generated_text"] == "Hi there"
    assert events[-1]["details"]["finish_reason"] == "eos_token"
    assert refused.status_code == 422
    assert "`top_logprobs`" in refused.text


def test_log_probabilities_that_are_not_told_are_refused_where_they_are_asked_for() -> None:
    refusal = Reply(400, {"error": {"message": "logprobs is not supported"}})
    with open_scripted(peers.make_plain(refusal)) as (engine, _):
        app = open_api(engine)
        for path, body in (("/v1/chat/completions", {"logprobs": True}), ("/v1/completions", {"logprobs": 0})):
            assert post(app, path, **body).status_code == 422
        assert post(app, "/generate", parameters={"best_of": 2, "do_sample": True}).status_code == 422


def test_no_queue_time_is_made_up_and_the_engines_own_figures_stand_beside_ours() -> None:
    with open_scripted(peers.make_vllm()) as (engine, _):
        app = open_api(engine)
        details = read_events(post(app, "/generate_stream", parameters={"details": True}).content)[-1]["details"]
        headers = post(app, "/generate").headers
        metrics = ask(app, "GET", "/metrics").text
    assert details["timings"]["queue_time"] is None
    assert details["timings"]["engine"] == {"time_to_first_token_ms": 31.5, "queue_time_ms": 0.25}
    assert (details["input_length"], details["cached_tokens"]) == (9, 4)
    assert "x-queue-time" not in headers
    assert not {"queue", "prefill"} & {each.split(";")[0] for each in headers["server-timing"].split(", ")}
    assert "tgi_request_queue_duration_count 0.0" in metrics
    assert "tgi_request_input_length_sum 18.0" in metrics
    assert "tgi_request_cached_tokens 8.0" in metrics


def test_counts_of_the_prompt_that_are_not_told_are_null_and_never_zero() -> None:
    with open_scripted(peers.make_plain(*[GREETING] * 6)) as (engine, _):
        app = open_api(engine)
        details = read_events(post(app, "/generate_stream", parameters={"details": True}).content)[-1]["details"]
        native = post(app, "/generate")
        usage = post(app, "/v1/chat/completions").json()["usage"]
        answer = ask(app, "POST", "/v1/responses", json={"input": "hi"}).json()["usage"]
        metrics = ask(app, "GET", "/metrics").text
        run = Run(engine, CHAT)
        events = tuple(follow(run))
        assert isinstance(engine.status, Ready)
        trace = trace_run(run, engine.status.card)
    assert (details["input_length"], details["cached_tokens"]) == (None, None)
    assert "x-prompt-tokens" not in native.headers
    unknown = {"prompt_tokens": None, "total_tokens": None, "prompt_tokens_details": {"cached_tokens": None}}
    assert usage == {**unknown, "completion_tokens": 1}
    assert (answer["input_tokens"], answer["total_tokens"], answer["output_tokens"]) == (None, None, 1)
    assert "tgi_request_input_length_count 0.0" in metrics
    assert view_reading(Reading("streamed", CHAT, run.submitted, events)).cached is None
    assert trace is not None
    assert write_trace(read_trace(json.dumps(write_trace(trace))))["input_tokens"] is None


@pytest.mark.parametrize("side", ["streamed", "whole"])
def test_the_page_waits_for_the_engine_and_says_that_times_are_arrivals(side: Side) -> None:
    with open_scripted(peers.make_vllm()) as (engine, _):
        run = Run(engine, CHAT)
        events = tuple(follow(run))
        sentence = describe_status(engine.status)
    waiting = view_reading(Reading(side, CHAT, run.submitted, events[:1]))
    assert write_run(waiting)["phase"] == "waiting for the engine"
    assert write_run(waiting)["state"] == "queued"
    done = view_reading(Reading(side, CHAT, run.submitted, events))
    assert done.note == "the engine's own figures: time_to_first_token_ms 31.5, queue_time_ms 0.25"
    assert done.cached == (4, 9)
    assert sentence == "org/model on vLLM 0.32.0: times are arrivals here, the engine is elsewhere"


def test_a_run_of_an_engine_elsewhere_is_exported_and_played_again_with_what_is_unknown() -> None:
    with open_scripted(peers.make_plain()) as (engine, _):
        run = Run(engine, CHAT)
        follow(run)
        assert isinstance(engine.status, Ready)
        trace = trace_run(run, engine.status.card)
    assert trace is not None
    written = write_trace(trace)
    assert written["elsewhere"] is True
    assert written["input_tokens"] == 7
    assert [row[1] for row in written["tokens"]] == [None, None, None]
    again = read_trace(json.dumps(written))
    assert again.elsewhere
    assert [token.text for token in again.tokens] == ["Hi", " there", ""]
