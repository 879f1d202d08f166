"""A load test over real sockets: which clients are served, which are refused, and which retry; and its events."""

import asyncio
import random
from itertools import pairwise

import jsonschema_rs
import pytest
from fastapi import FastAPI

from demo.api.crowd import client, crowd, request
from demo.api.crowd.event_log import EventLog
from demo.api.dialects import errors
from demo.engine import Log, Ticket
from demo.errors import EngineFailed, Overloaded
from demo.request import Request
from tests.api.client import ask, parse, read_events
from tests.api.gathering import CountingEngine, Event, answer_all, gather, outcomes, pick, read_until, run
from tests.api.script import open_api
from tests.api.serving import serve_api
from tests.clients.snippets import find_snippet
from tests.scripted import ScriptedEngine


class FullEngine(ScriptedEngine):
    """Admits on admission, and refuses on submit."""

    def submit(self, request: Request, log: Log) -> Ticket:
        raise Overloaded("Model is overloaded: by others.")


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Backoff a hundred times as fast, and no Retry-After."""
    monkeypatch.setattr(errors, "RETRY_AFTER_SECONDS", 0)
    monkeypatch.setattr(client, "FIRST_PAUSE_SECONDS", client.FIRST_PAUSE_SECONDS / 100)


def test_of_twenty_against_four_places_four_are_served_and_sixteen_are_refused_at_once() -> None:
    engine = ScriptedEngine()
    with serve_api(engine) as url, gather(url, clients=20, limit=4) as events:
        seen = read_until(events, "gave_up", 16)
        assert len(engine.tickets) == 4
        assert not any(ticket.ended for ticket in engine.tickets)  # refused while the four were being answered
        answer_all(engine.tickets)
        seen += events
    assert outcomes(seen) == {"served": 4, "gave_up": 16}
    assert len(pick(seen, "asked")) == 20
    assert len(pick(seen, "admitted")) == 4
    refused = pick(seen, "refused")
    assert len(refused) == 16
    for each in refused:
        assert (each["status"], each["error_type"], each["retry_after"]) == (429, "overloaded", 1)
        assert each["error"].startswith("Model is overloaded: 4 requests are being answered in this sandbox")
    plan = {"clients": 20, "limit": 4, "retry": False, "attempts": 1}
    assert seen[0].items() >= {"event": "begun", **plan}.items()


@pytest.fixture(scope="module")
def retried() -> list[Event]:
    """The events of a load test in which each client that is refused comes back until it is served."""
    with serve_api(CountingEngine(0.02)) as url:
        return run(url, clients=6, limit=2, retry=True, max_new_tokens=4)


def test_a_refusal_is_shown_as_it_was_received(retried: list[Event]) -> None:
    refusal = retried[-1]["refusal"]
    status, *headers = refusal["head"].split("\n")
    assert status == "HTTP/1.1 429 Too Many Requests"
    assert "retry-after: 1" in headers
    assert parse(refusal["body"])["error_type"] == "overloaded"


@pytest.mark.usefixtures("short_pauses")
def test_with_backoff_every_client_is_served_and_never_more_than_the_limit_at_once() -> None:
    engine = CountingEngine(0.002)
    with serve_api(engine) as url:
        seen = run(url, clients=20, limit=4, retry=True, max_new_tokens=4)
    assert outcomes(seen) == {"served": 20}
    assert engine.most == 4
    assert len(engine.tickets) == 20
    assert len(pick(seen, "refused")) == len(pick(seen, "backing_off")) > 0


def test_the_summary_equals_the_events(retried: list[Event]) -> None:
    for visit in retried[-1]["clients"]:
        mine = [event for event in retried if event.get("client") == visit["client"]]
        assert [each["asked"] for each in visit["attempts"]] == [event["at"] for event in pick(mine, "asked")]
        assert [each["status"] for each in visit["attempts"]] == [429] * len(pick(mine, "refused")) + [200]
        assert visit["admitted"] == pick(mine, "admitted")[0]["at"]
        assert visit["first_token"] == pick(mine, "first_token")[0]["at"]
        assert visit["end"] == pick(mine, "served")[0]["at"]
        assert visit["waited"] == pytest.approx(visit["first_token"] - visit["attempts"][0]["asked"], abs=1e-5)
        assert visit["tokens"] == 4
        assert visit["attempts"][-1]["asked"] <= visit["admitted"] <= visit["first_token"] <= visit["end"]
        timings = visit["timings"]
        assert 0 <= timings["queue_time"] <= timings["time_to_first_token"] <= timings["total_time"]
        assert timings["time_to_first_token"] / 1000 < visit["waited"]


def test_a_client_backs_off_as_the_snippet_does() -> None:
    source = find_snippet("python-retry").text
    assert f"range({request.ATTEMPTS})" in source
    (rule,) = [line for line in source.splitlines() if "time.sleep(" in line]
    written = rule.strip().removeprefix("time.sleep(").removesuffix(")")
    for attempt in range(request.ATTEMPTS):
        dice, same = random.Random(attempt), random.Random(attempt)
        expected = eval(written, {"random": dice, "attempt": attempt, "retry_after": 1.0})
        assert client.compute_pause(attempt + 1, 1.0, same.uniform) == expected


def test_a_refused_client_waits_at_least_retry_after_and_no_two_in_step(retried: list[Event]) -> None:
    assert outcomes(retried) == {"served": 6}
    pauses = [event["pause"] for event in pick(retried, "backing_off")]
    assert len(set(pauses)) == len(pauses) >= 4
    for visit in retried[-1]["clients"]:
        for one, next_one in pairwise(visit["attempts"]):
            assert next_one["asked"] - one["answered"] >= errors.RETRY_AFTER_SECONDS


def test_every_event_follows_the_document(retried: list[Event], app: FastAPI) -> None:
    document = app.openapi()
    schema = document["paths"]["/crowds"]["post"]["responses"]["200"]["content"]["text/event-stream"]["schema"]
    validator = jsonschema_rs.validator_for({**schema, "components": document["components"]})
    known = set(document["components"]["schemas"]["CrowdEvent"]["properties"])
    for event in retried:
        validator.validate(event)
        assert set(event) <= known


@pytest.mark.usefixtures("short_pauses")
def test_a_client_that_is_always_refused_gives_up_after_eight_attempts_and_a_seed_repeats_its_pauses() -> None:
    def pauses(seen: list[Event]) -> dict[int, list[float]]:
        return {
            client: [event["pause"] for event in pick(seen, "backing_off") if event["client"] == client]
            for client in (1, 2)
        }

    with serve_api(FullEngine()) as url:
        one, same, other = (run(url, clients=2, retry=True, seed=seed) for seed in (7, 7, 8))
    assert outcomes(one) == {"gave_up": 2}
    assert [len(visit["attempts"]) for visit in one[-1]["clients"]] == [8, 8]
    assert pick(one, "refused")[0]["error"] == "Model is overloaded: by others."  # the engine's own refusal
    assert pauses(one) == pauses(same) != pauses(other)
    assert pauses(one)[1] != pauses(one)[2]


def test_a_load_test_ends_at_its_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "MAX_SECONDS", 0.5)
    engine = ScriptedEngine()
    with serve_api(engine) as url:
        seen = run(url, clients=3, limit=2)
        assert outcomes(seen) == {"unfinished": 2, "gave_up": 1}
        assert seen[-1]["in_time"] is False
        assert all(ticket.cancelled for ticket in engine.tickets)


@pytest.mark.parametrize("written", [0, 1])
def test_a_generation_that_breaks_is_a_client_that_failed_and_the_others_are_served(written: int) -> None:
    engine = ScriptedEngine()
    with serve_api(engine) as url, gather(url, clients=2, limit=2) as events:
        seen = read_until(events, "admitted", 2)
        engine.tickets[0].start_with(*["one "] * written)
        engine.tickets[0].fail(EngineFailed("Request failed during generation: broken on purpose."))
        seen += read_until(events, "failed", 1)
        answer_all(engine.tickets[1:])
        seen += events
    assert outcomes(seen) == {"served": 1, "failed": 1}
    (failed,) = [visit for visit in seen[-1]["clients"] if visit["outcome"] == "failed"]
    assert failed["error"] == "Request failed during generation: broken on purpose."


def test_a_client_that_cannot_connect_has_failed() -> None:
    response = ask(open_api(), "POST", "/crowds", json={"clients": 1})  # nothing listens at its address
    (visit,) = read_events(response.content)[-1]["clients"]
    assert visit["outcome"] == "failed"
    assert visit["error"]


@pytest.mark.anyio
async def test_a_reader_of_events_that_is_cancelled_as_one_comes_stops() -> None:
    async def read_all() -> None:
        async for _ in log.follow(60):
            pass

    log = EventLog()
    reading = asyncio.ensure_future(read_all())
    await asyncio.sleep(0)
    log.record("begun", log.now())
    await asyncio.sleep(0)  # the wait has ended, and its reader has not gone on yet
    reading.cancel()
    await asyncio.wait({reading}, timeout=5)
    assert reading.cancelled()
