"""The engine elsewhere comes and goes: waiting, ready, gone, back; refusals, overload, cancelling, pace."""

import re
import threading
import time
from dataclasses import replace
from typing import Any

import pytest

from demo.api.dialects.errors import find_status
from demo.engine import Broken, Loading, Ready
from demo.engines.endpoint.engine import EndpointEngine
from demo.engines.reloading import Backoff, ReloadingEngine
from demo.errors import NotReady, Overloaded
from demo.events import Done, Failed, Sent
from demo.run import Run
from demo.settings import Settings
from tests.engines.endpoint import peers
from tests.engines.endpoint.opened import CHAT, Events, ask, open_scripted, read_events, wait_for_status
from tests.engines.endpoint.peers import GREETING
from tests.engines.endpoint.scripted_server import DONE, Reply, ScriptedServer, Stream, frame, serve_script

HI = peers.token(1, "Hi")
UNENDING = Stream((HI, threading.Event()))
FULL = {"error": {"message": "Too many requests are queued", "type": "ServiceUnavailable", "code": 503}}


def make_listing(reply: Reply) -> ScriptedServer:
    """A vLLM with this reply of /v1/models."""
    server = peers.make_vllm()
    server.routes["/v1/models"] = reply
    return server


@pytest.mark.parametrize(
    ("reply", "status", "sentence"),
    [
        (Reply(503, FULL), 429, "is overloaded: Too many requests are queued"),
        (Reply(429, FULL), 429, "is overloaded: Too many requests are queued"),
        (Stream((frame(**FULL), DONE)), 429, "is overloaded: Too many requests are queued"),
        (Stream((frame(error="Model is overloaded", error_type="overloaded"),)), 429, "Model is overloaded"),
        (Reply(400, {"error": {"message": "too long", "code": 400}}), 422, "too long"),
        (Reply(422, {"detail": "bad"}), 422, "bad"),
        (Reply(400, {"error": {"message": "This model's maximum context length is 9"}}), 422, "context length is 9"),
        (Stream((frame(error="Input validation error: `x` no", error_type="validation"),)), 422, "`x` no"),
        (Reply(401, {"error": "Unauthorized"}), 424, "refuses the key: Unauthorized"),
        (Reply(404, {"error": {"message": "no such model", "code": 404}}), 424, "no such route or model"),
        (Reply(500, "boom"), 424, "failed: boom"),
        (Reply(200, {"choices": []}), 424, "without a stream"),
        (Stream((b"data: {\n\n",)), 424, "not a JSON object"),
    ],
)  # fmt: skip
def test_a_refusal_behind_is_one_sentence_here_before_any_token_with_the_status_of_its_kind(
    reply: Stream | Reply, status: int, sentence: str
) -> None:
    with open_scripted(peers.make_vllm(GREETING, reply)) as (engine, _):
        events = ask(engine)
    assert [type(event) for event in events] == [Sent, Failed]
    error = events.error
    assert find_status(error) == status
    assert sentence in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize("end", [None, b": nothing more\n\n"], ids=["reset", "an end without a finish reason"])
def test_a_killed_replica_fails_the_answers_it_was_giving_and_their_tokens_stay(end: bytes | None) -> None:
    with open_scripted(peers.make_vllm(GREETING, Stream((HI, end)))) as (engine, _):
        events = ask(engine)
        assert [token.text for token in events.tokens] == ["Hi"]
        assert "before the answer's end: ask again" in str(events.error)
        assert ask(engine).done  # the router sends the next one to another replica


def test_a_cancelled_answer_ends_at_once_and_its_connection_is_closed() -> None:
    with open_scripted(peers.make_vllm(GREETING, UNENDING)) as (engine, server):
        run = Run(engine, CHAT)
        next(batch for batch in run.attach() if Events(batch).tokens)
        run.cancel()
        assert isinstance(run.events[-1], Done)
        assert server.left.wait(10)
        assert engine.load.running == 0


def test_an_engine_that_sends_nothing_for_too_long_fails_the_answer() -> None:
    with open_scripted(peers.make_vllm(GREETING, UNENDING), endpoint_timeout=1) as (engine, _):
        assert "sent nothing for 1 s" in str(ask(engine).error)


def test_a_paced_answer_keeps_its_pace_and_everything_of_its_tokens() -> None:
    with open_scripted(peers.make_vllm()) as (engine, _):
        at_once, paced = ask(engine), ask(engine, replace(CHAT, pace=200.0))
    first, *_, last = times = [token.time for token in paced.tokens]
    assert last - first >= 5 / 200 - 1e-6
    assert times == sorted(times)
    assert [replace(each, time=0) for each in paced.tokens] == [replace(each, time=0) for each in at_once.tokens]


def test_places_are_limited_here_and_all_of_several_requests_are_admitted_or_none() -> None:
    with open_scripted(peers.make_vllm(GREETING, UNENDING), max_concurrent_requests=2) as (engine, _):
        run = Run(engine, CHAT)
        with pytest.raises(Overloaded, match="which is the limit"):
            engine.submit_all([CHAT, CHAT], [lambda *events: None] * 2)
        assert engine.load.running + engine.load.waiting == 1
        run.cancel()
        engine.submit_all([CHAT, CHAT], [lambda *events: None] * 2)


def test_closing_ends_every_answer() -> None:
    with open_scripted(peers.make_vllm(GREETING, UNENDING)) as (engine, _):
        run = Run(engine, CHAT)
        engine.close()
        assert "shutting down" in str(read_events(run).error)
        with pytest.raises(NotReady, match="shutting down"):
            engine.submit(CHAT, lambda *events: None)


@pytest.mark.parametrize(
    ("server", "settings", "sentence"),
    [
        (make_listing(Reply(401, {"error": "Unauthorized"})), {}, "--endpoint-api-key is missing or wrong"),
        (make_listing(Reply(404, {"detail": "Not Found"})), {}, "can't be used"),
        (make_listing(Reply(200, {"hello": 1})), {}, "does not list its models"),
        (make_listing(peers.models("a", "b")), {}, "choose one of a, b with --endpoint-model"),
        (peers.make_plain(Reply(200, {"choices": []})), {}, "answers without a stream"),
        (peers.make_vllm(), {"endpoint_model": "x"}, "--endpoint-model is 'x': The engine at .* serves org/model"),
    ],
)  # fmt: skip
def test_a_wrong_key_model_or_address_is_one_sentence(
    server: ScriptedServer, settings: dict[str, Any], sentence: str
) -> None:
    broken = threading.Event()
    with serve_script(server):
        engine = EndpointEngine(Settings(endpoint=server.url, **settings), on_broken=broken.set)
        status = wait_for_status(engine, Broken)
        assert isinstance(status, Broken)
        assert re.search(sentence, str(status.error))
        assert broken.wait(10)
        engine.close()


def test_a_server_that_refuses_log_probabilities_is_asked_without_them() -> None:
    refusal = Reply(400, {"error": {"message": "logprobs is not supported"}})
    with open_scripted(peers.make_plain(refusal)) as (engine, server):
        assert isinstance(engine.status, Ready)
        assert not engine.status.card.has_logprobs
        assert [token.logprob for token in ask(engine).tokens] == [None, None, None]
        assert "logprobs" not in server.asked[-1][1]


def test_the_key_is_sent_and_the_named_model_is_asked() -> None:
    server = make_listing(peers.models("a", "b", max_model_len=64))
    with open_scripted(server, endpoint_api_key="secret", endpoint_model="b") as (engine, server):
        ask(engine)
        assert server.asked[-1][1]["model"] == "b"
        assert all("authorization: bearer secret" in head.lower() for head in server.headers)


def test_a_server_that_loads_its_model_or_is_not_there_is_waited_for_and_one_that_is_gone_comes_back() -> None:
    server = peers.make_vllm()
    models = server.routes["/v1/models"]
    server.routes["/v1/models"] = Reply(503, {"error": {"message": "Loading model", "code": 503}})
    with serve_script(server):
        settings = Settings(endpoint=server.url)

        def open_engine(on_broken: Any) -> EndpointEngine:
            return EndpointEngine(settings, on_broken, Backoff(0.01, 0.02))

        engine = ReloadingEngine(open_engine, Backoff(0.01, 0.02))
        while not (isinstance(status := engine.status, Loading) and status.failure is not None):
            time.sleep(0.002)
        assert status.step == f"waiting for {server.url}"
        assert "Loading model" in str(status.failure)
        with pytest.raises(NotReady, match="does not answer yet"):
            engine.submit(CHAT, lambda *events: None)
        server.routes["/v1/models"] = models
        wait_for_status(engine, Ready)
    run = Run(engine, CHAT)  # the server is gone: this answer tells it at once
    assert find_status(read_events(run).error) == 503
    gone = wait_for_status(engine, Broken, Loading)
    with pytest.raises(NotReady):
        engine.submit(CHAT, lambda *events: None)
    assert server.url in str(gone)
    with serve_script(server):  # at the same address
        wait_for_status(engine, Ready)
        assert ask(engine).done
        engine.close()
