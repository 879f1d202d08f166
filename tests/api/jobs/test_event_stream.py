"""A job's stream: one more reader of the same run, taken up again without gaps or repeats, and never its owner."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from demo.api.delivery import run_response
from demo.api.delivery import streamed as delivery
from demo.errors import EngineFailed
from tests.api.client import parse
from tests.api.script import TicketEngine, open_api
from tests.api.visit import Visit

Client = httpx.AsyncClient


class Scene:
    """An API, an engine in the test's hands, and one job."""

    def __init__(self, engine: TicketEngine, app: FastAPI, client: Client, id: str) -> None:
        self.engine, self.app, self.client, self.id = engine, app, client, id
        self.ticket = engine.ticket()

    async def follow(self, last_seen: int | None = None) -> Visit:
        """A reader of the stream that is being answered."""
        headers = {} if last_seen is None else {"last-event-id": str(last_seen)}
        return await Visit(self.app, f"/jobs/{self.id}/events", {}, headers, "GET").start().until_listening()

    async def get(self, path: str = "", **headers: str) -> httpx.Response:
        """A whole reply below the job."""
        return await self.client.get(f"/jobs/{self.id}{path}", headers=headers)

    async def report(self) -> dict[str, Any]:
        """What each way took."""
        report: dict[str, Any] = (await self.get("/report")).json()
        return report


def play(scene: Callable[[Scene], Awaitable[None]], **body: Any) -> None:
    """A scene with a job that has begun."""

    async def run() -> None:
        engine = TicketEngine()
        app = open_api(engine)
        async with Client(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            job = (await client.post("/jobs", json={"inputs": "hello", **body})).json()
            engine.ticket().start()
            await scene(Scene(engine, app, client, job["id"]))

    asyncio.run(run())


def read_numbered(body: bytes) -> list[tuple[int, Any]]:
    """Each event with its id, comments left out."""
    blocks = [block for block in body.decode().split("\n\n") if block and not block.startswith(":")]
    matches = [re.fullmatch(r"id: (\d+)\ndata: (.*)", block) for block in blocks]
    assert all(matches), blocks
    return [(int(match[1]), parse(match[2])) for match in matches if match]


def say(events: list[tuple[int, Any]]) -> str:
    return "".join(event["token"]["text"] for _, event in events)


def test_the_stream_of_a_job_is_its_run_from_the_first_token_and_says_what_polling_says() -> None:
    async def scene(at: Scene) -> None:
        at.ticket.write("Grüße ", "", "日本 ")
        early = await at.follow()
        await early.until(lambda: len(early.writes) == 1)
        late = await at.follow()
        at.ticket.write_together("ไทย", "!", reason="eos_token")
        for visit in (early, late):
            await visit.until_ended()
            events = read_numbered(visit.body)
            assert [number for number, _ in events] == [event["index"] for _, event in events] == [1, 2, 3, 4, 5]
            polled = (await at.get()).json()
            assert say(events) == events[-1][1]["generated_text"] == polled["generated_text"] == "Grüße 日本 ไทย!"
            assert events[-1][1]["details"] == polled["details"]
        assert len(at.engine.tickets) == 1

    play(scene, parameters={"return_full_text": True})


@pytest.mark.parametrize("seen", range(5))
def test_a_stream_goes_on_behind_the_last_event_that_was_seen(seen: int) -> None:
    async def scene(at: Scene) -> None:
        at.ticket.write("a", "b")
        visit = await at.follow(seen)
        at.ticket.write("c")
        at.ticket.write_together("d", "e", reason="length")
        await visit.until_ended()
        events = read_numbered(visit.body)
        assert [number for number, _ in events] == list(range(seen + 1, 6))
        assert events[-1][1]["generated_text"] == "abcde"

    play(scene)


def test_who_has_seen_everything_is_told_204_and_who_has_not_the_rest() -> None:
    async def scene(at: Scene) -> None:
        at.ticket.write_together("a", "b", reason="length")
        rest = await at.get("/events", **{"last-event-id": "1"})
        assert [number for number, _ in read_numbered(rest.content)] == [2]
        for seen in ("2", "3"):
            end = await at.get("/events", **{"last-event-id": seen})
            assert (end.status_code, end.content) == (204, b"")
        assert (await at.get("/events", **{"last-event-id": "b"})).status_code == 422
        streamed = (await at.report())["streamed"]
        assert (streamed["requests"], streamed["empty_replies"]) == (3, 2)

    play(scene)


def test_who_waits_behind_the_last_token_when_the_end_comes_is_told_nothing_and_then_204() -> None:
    async def scene(at: Scene) -> None:
        at.ticket.write("a")
        visit = await at.follow(1)
        at.ticket.finish("length")
        await visit.until_ended()
        assert (visit.status, visit.body) == (200, b"")
        assert (await at.get("/events", **{"last-event-id": "1"})).status_code == 204

    play(scene)


def test_what_went_wrong_is_an_event_with_a_number_and_is_not_told_twice() -> None:
    async def scene(at: Scene) -> None:
        visit = await at.follow()
        at.ticket.write("a")
        await visit.until(lambda: len(visit.writes) == 1)
        at.ticket.fail(EngineFailed("Request failed during generation: it broke."))
        await visit.until_ended()
        (number, event) = read_numbered(visit.body)[-1]
        assert (number, event["error_type"]) == (2, "generation")
        refused = await at.get("/events", **{"last-event-id": "1"})
        assert (refused.status_code, refused.json()) == (424, event)
        assert (await at.get("/events", **{"last-event-id": "2"})).status_code == 204

    play(scene)


def test_a_job_that_failed_before_its_first_token_refuses_its_stream_with_a_true_status() -> None:
    async def scene(at: Scene) -> None:
        visit = await at.follow()
        at.ticket.fail(EngineFailed("Request failed during generation: it broke."))
        await visit.until_ended()
        assert visit.status == 424
        assert (await at.report())["streamed"]["empty_replies"] == 1

    play(scene)


def test_leaving_the_stream_does_not_stop_the_job_and_deleting_the_job_ends_the_stream() -> None:
    async def scene(at: Scene) -> None:
        leaving, staying = await at.follow(), await at.follow()
        at.ticket.write("a")
        await leaving.until(lambda: len(leaving.writes) == 1)
        leaving.leave()
        await leaving.until_ended()
        assert not at.ticket.cancelled
        await at.client.delete(f"/jobs/{at.id}")
        await staying.until_ended()
        assert at.ticket.cancelled
        assert read_numbered(staying.body)[-1][1]["error_type"] == "incomplete_generation"

    play(scene)


def test_a_report_has_an_arrival_for_each_write_with_news(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_response, "TICK_SECONDS", 0.005)
    monkeypatch.setattr(delivery, "KEEP_ALIVE_SECONDS", 0.01)

    async def scene(at: Scene) -> None:
        visit = await at.follow()
        await visit.until(lambda: len(visit.writes) >= 1)
        assert (await at.report())["streamed"]["arrivals"] == []
        at.ticket.write("a")
        await visit.until(lambda: b"data: " in visit.body)
        at.ticket.write_together("b", "c", reason="length")
        await visit.until_ended()
        report = await at.report()
        streamed, made = report["streamed"], report["tokens"]
        assert visit.writes[0] == b": keep-alive\n\n"
        assert (streamed["requests"], streamed["empty_replies"]) == (1, 0)
        (first, one), (second, all_of_it) = streamed["arrivals"]
        assert (one, all_of_it) == (1, 3)
        assert made[0] < first < second
        waits = [first - made[0], second - made[1]]
        assert all(wait > 0 for wait in waits)
        assert streamed["mean_staleness"] <= max(waits) + 0.001

    play(scene)


def test_three_ways_bring_the_same_text_of_one_run_and_their_reports_can_be_compared() -> None:
    async def scene(at: Scene) -> None:
        visit = await at.follow()
        at.ticket.write("a")
        await visit.until(lambda: len(visit.writes) == 1)
        polls = [await at.get()]
        at.ticket.write_together("b", "c", reason="length")
        await visit.until_ended()
        polls.append(await at.get("?since=1"))
        report = await at.report()
        text = "".join(token["text"] for reply in polls for token in reply.json()["tokens"])
        assert text == say(read_numbered(visit.body)) == json.loads(polls[-1].content)["generated_text"]
        assert len(at.engine.tickets) == 1
        for way in (report["streamed"], report["polled"]):
            times = [time for time, _ in way["arrivals"]]
            counts = [count for _, count in way["arrivals"]]
            assert times == sorted(times)
            assert counts == sorted(set(counts))
            assert counts[-1] == len(report["tokens"]) == 3
            assert way["mean_staleness"] >= 0

    play(scene)
