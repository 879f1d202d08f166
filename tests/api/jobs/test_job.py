"""Jobs: the same run, fetched later; each reply counted; results kept for a while."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import httpx
import pytest

from demo.api.application import create_api
from demo.api.jobs import store
from demo.engines.metered import MeteredEngine
from demo.settings import Settings
from tests.scripted import ScriptedEngine

Client: TypeAlias = httpx.AsyncClient


def play(engine: ScriptedEngine, scene: Callable[[Client], Awaitable[None]]) -> None:
    """Run a scene in front of the API."""

    async def run() -> None:
        app = create_api(MeteredEngine(engine), Settings())
        transport = httpx.ASGITransport(app)
        async with app.router.lifespan_context(app), Client(transport=transport, base_url="http://test") as client:
            await scene(client)

    asyncio.run(run())


async def begin(client: Client, **more: Any) -> dict[str, Any]:
    reply = await client.post("/jobs", json={"inputs": "hello", **more})
    assert reply.status_code == 202, reply.text
    job: dict[str, Any] = reply.json()
    assert reply.headers["location"] == f"/jobs/{job['id']}"
    assert reply.headers["retry-after"] == "1"
    return job


async def poll(client: Client, id: str, since: int = 0) -> dict[str, Any]:
    reply = await client.get(f"/jobs/{id}", params={"since": since})
    assert reply.status_code == 200, reply.text
    told: dict[str, Any] = reply.json()
    assert ("retry-after" in reply.headers) == (told["state"] in ("queued", "running"))
    return told


async def read_report(client: Client, id: str) -> dict[str, Any]:
    reply = await client.get(f"/jobs/{id}/report")
    assert reply.status_code == 200, reply.text
    report: dict[str, Any] = reply.json()
    return report


def test_what_is_asked_of_a_report_is_neither_counted_nor_within_the_replies_that_it_counts() -> None:
    engine = ScriptedEngine()

    async def scene(client: Client) -> None:
        job = await begin(client, webhook_url="/webhooks/inbox/mine")
        first = await read_report(client, job["id"])
        assert await read_report(client, job["id"]) == first
        nothing: dict[str, Any] = {
            "requests": 0,
            "empty_replies": 0,
            "request_bytes": 0,
            "reply_bytes": 0,
            "mean_staleness": None,
            "arrivals": [],
        }
        assert first["polled"] == first["streamed"] == nothing
        assert first["tokens"] == []
        told = await poll(client, job["id"])
        assert not {"report", "webhook"} & set(told)
        assert (await client.get("/jobs/nobody/report")).status_code == 404

    play(engine, scene)


def test_polling_tells_what_is_new_and_then_the_whole() -> None:
    engine = ScriptedEngine()

    async def scene(client: Client) -> None:
        id = (await begin(client))["id"]
        assert (await poll(client, id))["state"] == "queued"
        ticket = engine.tickets[0]
        ticket.start()
        assert (await poll(client, id))["state"] == "running"
        ticket.write("one ", "two ")
        first = await poll(client, id)
        assert ([token["text"] for token in first["tokens"]], first["next"]) == (["one ", "two "], 2)
        assert (await poll(client, id, since=2))["tokens"] == []
        ticket.write("three")
        ticket.finish("eos_token")
        last = await poll(client, id, since=2)
        assert [token["index"] for token in last["tokens"]] == [3]
        assert (last["state"], last["generated_text"]) == ("done", "one two three")
        assert last["details"]["finish_reason"] == "eos_token"
        again = await poll(client, id)
        assert len(again["tokens"]) == 3

    play(engine, scene)


def test_a_job_counts_its_replies_the_empty_ones_and_how_stale_each_token_was() -> None:
    engine = ScriptedEngine()

    async def scene(client: Client) -> None:
        id = (await begin(client))["id"]
        for _ in range(2):
            await poll(client, id)
        engine.tickets[0].start()
        engine.tickets[0].write("a", "b")
        await poll(client, id)
        engine.tickets[0].write("c")
        report = await read_report(client, id)
        polled = report["polled"]
        assert (polled["requests"], polled["empty_replies"]) == (3, 2)
        assert (polled["request_bytes"], polled["reply_bytes"]) == (None, None)  # no connection here counts them
        assert 0 < polled["mean_staleness"] < 10
        ((at, told),) = polled["arrivals"]
        assert told == 2
        made = report["tokens"]
        assert 0 < made[0] < made[1] < at < made[2]
        assert polled["mean_staleness"] == pytest.approx(((at - made[0]) + (at - made[1])) / 2)
        await poll(client, id, since=2)
        await poll(client, id)
        again = (await read_report(client, id))["polled"]
        assert [told for _, told in again["arrivals"]] == [2, 3]
        assert (again["requests"], again["empty_replies"]) == (5, 3)

    play(engine, scene)


def test_delete_stops_the_work_and_what_there_is_can_still_be_fetched() -> None:
    engine = ScriptedEngine()

    async def scene(client: Client) -> None:
        id = (await begin(client))["id"]
        engine.tickets[0].start()
        engine.tickets[0].write("some")
        reply = await client.delete(f"/jobs/{id}")
        assert engine.tickets[0].cancelled
        assert (reply.status_code, reply.json()["state"]) == (200, "cancelled")
        told = await poll(client, id)
        assert [token["text"] for token in told["tokens"]] == ["some"]
        assert told["error"].startswith("Incomplete generation")

    play(engine, scene)


def test_a_job_goes_on_though_nobody_fetches_it() -> None:
    engine = ScriptedEngine()

    async def scene(client: Client) -> None:
        await begin(client)
        assert not engine.tickets[0].cancelled

    play(engine, scene)


def test_an_unknown_job_is_404_and_so_is_one_whose_result_has_expired(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = ScriptedEngine()

    async def scene(client: Client) -> None:
        assert (await client.get("/jobs/nobody")).json()["error_type"] == "not_found"
        id = (await begin(client))["id"]
        monkeypatch.setattr(store, "KEEP_SECONDS", -1.0)
        assert (await poll(client, id))["state"] == "queued"
        engine.tickets[0].finish()
        for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/events"), ("GET", "/report")):
            assert (await client.request(method, f"/jobs/{id}{path}")).status_code == 404

    play(engine, scene)


def test_only_so_many_results_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "KEEP_JOBS", 2)
    engine = ScriptedEngine()

    async def scene(client: Client) -> None:
        ids = []
        for number in range(4):
            ids.append((await begin(client))["id"])
            engine.tickets[number].finish()
        statuses = [(await client.get(f"/jobs/{id}")).status_code for id in ids]
        assert statuses == [404, 404, 200, 200]

    play(engine, scene)


@pytest.mark.parametrize(
    "parameters", [{"best_of": 2, "do_sample": True}, {"decoder_input_details": True}, {"temperature": 0}]
)
def test_what_cannot_be_streamed_cannot_be_a_job(parameters: dict[str, Any]) -> None:
    async def scene(client: Client) -> None:
        reply = await client.post("/jobs", json={"inputs": "a", "parameters": parameters})
        assert (reply.status_code, reply.json()["error_type"]) == (422, "validation")

    play(ScriptedEngine(), scene)


def test_a_result_is_posted_signed_to_the_own_inbox() -> None:
    # The whole way, over sockets: tests/api/jobs/test_webhooks.py. Here: what is told of it.
    async def scene(client: Client) -> None:
        job = await begin(client, webhook_url="/webhooks/inbox/mine")
        assert job["webhook_secret"].startswith("whsec_")
        assert json.dumps(await poll(client, job["id"])).find("whsec_") == -1
        told = await read_report(client, job["id"])
        assert told["webhook"] == {
            "url": "http://127.0.0.1:7860/webhooks/inbox/mine",
            "state": "waiting",
            "attempts": [],
            "report": None,
        }
        assert json.dumps(told).find("whsec_") == -1

    play(ScriptedEngine(), scene)
