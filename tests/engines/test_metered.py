"""Prometheus metrics after known runs: exact counts, in a format that its own parser reads."""

import asyncio
import threading
import time

import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from demo.engine import Loading
from demo.engines.metered import MeteredEngine
from demo.errors import BadRequest, EngineFailed, NotReady, Overloaded
from demo.events import Event
from demo.request import Request
from demo.run import Run
from tests.api.client import ask, post
from tests.api.script import ENDED, HELD_BACK, HELLO, AnsweringEngine, TicketEngine, open_api
from tests.api.visit import Visit
from tests.scripted import ScriptedEngine


def read_metrics(app: FastAPI) -> dict[str, float]:
    """Each sample by its name, with its label where it has one."""
    text = ask(app, "GET", "/metrics").text
    samples: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            label = ",".join(f"{name}={value}" for name, value in sample.labels.items())
            samples[f"{sample.name}{{{label}}}" if label else sample.name] = sample.value
    return samples


def test_known_runs_are_counted_exactly_with_n_minus_1_gaps_of_n_tokens_and_one_first_token_each() -> None:
    app = open_api(AnsweringEngine(HELLO, HELD_BACK, ENDED))
    for path in ("/generate", "/generate_stream", "/v1/chat/completions"):
        post(app, path)
    samples = read_metrics(app)
    assert samples["tgi_request_count"] == samples["tgi_request_success"] == 3
    assert "tgi_request_cancelled" not in samples
    for name in ("duration", "validation_duration", "queue_duration", "inference_duration", "input_length"):
        assert samples[f"tgi_request_{name}_count"] == 3
    assert samples["tgi_request_input_length_sum"] == 9
    assert samples["tgi_request_generated_tokens_sum"] == 2 + 3 + 2
    assert samples["tgi_request_mean_time_per_token_duration_count"] == 3
    assert samples["tgi_request_max_new_tokens_count"] == 2  # a chat asks for as many as fit
    assert samples["tgi_request_max_new_tokens_sum"] == 200
    assert samples["tgi_request_inter_token_latency_count"] == 1 + 2 + 1
    assert samples["tgi_request_time_to_first_token_count"] == 3


def test_the_time_to_first_token_ends_with_the_first_text() -> None:
    engine = TicketEngine()
    metered = MeteredEngine(engine)
    seen: list[float | None] = []

    def read_when_logged(*events: Event) -> None:
        seen.append(metered.metrics.registry.get_sample_value("tgi_request_time_to_first_token_sum"))

    begun = time.perf_counter()
    metered.submit(Request("hi"), read_when_logged)
    ticket = engine.ticket(0)
    for seconds, text in ((100, ""), (200, "a"), (300, "b")):
        ticket.write(text, at=begun + seconds)
    ticket.finish()
    assert seen == pytest.approx([0, 200, 200, 200], abs=10), "a reader that has a token finds it recorded"


def test_whole_and_streamed_answers_are_recorded_alike() -> None:
    whole, streamed = open_api(), open_api()
    post(whole, "/v1/completions")
    post(streamed, "/v1/completions", stream=True)
    counts = [{k: v for k, v in read_metrics(app).items() if not k.endswith("_sum")} for app in (whole, streamed)]
    counts = [{k: v for k, v in each.items() if "_bucket" not in k and "_created" not in k} for each in counts]
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Overloaded("Model is overloaded"), "overloaded"),
        (NotReady("unhealthy"), "healthcheck"),
        (BadRequest("no"), "validation"),
    ],
)
def test_refusals_are_counted_once_by_their_kind(error: BadRequest | NotReady | Overloaded, kind: str) -> None:
    engine = AnsweringEngine()
    app = open_api(engine)
    engine.refusal = error
    post(app, "/generate")
    post(app, "/v1/chat/completions", stream=True)
    samples = read_metrics(app)
    assert samples["tgi_request_count"] == samples[f"tgi_request_failure{{err={kind}}}"] == 2
    assert "tgi_request_success" not in samples


def test_what_breaks_is_a_failure_and_what_is_left_is_cancelled() -> None:
    async def story() -> None:
        broken = await Visit(app, "/generate", {"inputs": "hi"}).start().until_listening()
        engine.ticket(0).start()
        engine.ticket(0).fail(EngineFailed("Request failed during generation: it broke."))
        await broken.until_ended()
        left = await Visit(app, "/generate_stream", {"inputs": "hi"}).start().until_listening()
        engine.ticket(1).start_with("a")
        await left.until(lambda: len(left.writes) == 1)
        left.leave()
        await left.until_ended()

    engine = TicketEngine()
    app = open_api(engine)
    asyncio.run(story())
    samples = read_metrics(app)
    assert samples["tgi_request_count"] == 2
    assert samples["tgi_request_failure{err=generation}"] == 1
    assert samples["tgi_request_cancelled"] == 1
    assert "tgi_request_success" not in samples
    assert samples["tgi_request_duration_count"] == 2
    assert samples["tgi_request_generated_tokens_sum"] == 1


def test_gauges_are_the_present_load() -> None:
    engine = TicketEngine()
    app = open_api(engine)
    assert read_metrics(app)["tgi_batch_current_size"] == 0
    run = Run(engine, Request("hi"))
    samples = read_metrics(app)
    assert samples["tgi_batch_current_size"] == 1
    assert samples["tgi_queue_size"] == 0
    assert samples["tgi_concurrent_requests_limit"] == 100
    run.cancel()
    assert read_metrics(app)["tgi_batch_current_size"] == 0


@pytest.mark.parametrize("path", ["/info", "/v1/models"])
def test_looking_is_not_a_request(path: str) -> None:
    engine = ScriptedEngine(Loading("reading"))
    engine.refusal = NotReady("unhealthy")
    app = open_api(engine)
    assert ask(app, "GET", path).status_code == 503
    assert "tgi_request_count" not in read_metrics(app)


def test_an_invalid_body_is_no_run() -> None:
    app = open_api()
    post(app, "/generate", inputs="")
    assert "tgi_request_count" not in read_metrics(app)


def test_runs_of_many_threads_are_all_counted() -> None:
    engine = AnsweringEngine()
    app = open_api(engine)
    threads = [threading.Thread(target=post, args=(app, "/generate")) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read_metrics(app)["tgi_request_success"] == 20


def test_the_format_is_the_one_that_the_header_names() -> None:
    response = ask(open_api(), "GET", "/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    assert response.text.endswith("\n")
