"""A job's stream: one more reader of the same run, resumed without gaps or repeats, and never its owner."""

import re
from typing import Any

import pytest

from tests.api.client import parse
from tests.api.jobs.conftest import JobClient
from tests.api.script import BREAK

pytestmark = pytest.mark.anyio


@pytest.fixture
async def job(jobs: JobClient) -> JobClient:
    """A job that has begun."""
    await jobs.begin(parameters={"return_full_text": True})
    jobs.ticket.start()
    return jobs


def read_numbered(body: bytes) -> list[tuple[int, Any]]:
    """Each event with its id, comments left out."""
    blocks = [block for block in body.decode().split("\n\n") if block and not block.startswith(":")]
    matches = [re.fullmatch(r"id: (\d+)\ndata: (.*)", block) for block in blocks]
    assert all(matches), blocks
    return [(int(match[1]), parse(match[2])) for match in matches if match]


def join_text(events: list[tuple[int, Any]]) -> str:
    return "".join(event["token"]["text"] for _, event in events)


async def test_the_stream_of_a_job_is_its_run_from_the_first_token_and_equals_what_polling_returns(
    job: JobClient,
) -> None:
    job.ticket.write("Grüße ", "", "日本 ")
    early = await job.follow()
    await early.until(lambda: len(early.writes) == 1)
    late = await job.follow()
    job.ticket.write_together("ไทย", "!", reason="eos_token")
    for visit in (early, late):
        await visit.until_ended()
        events = read_numbered(visit.body)
        assert [number for number, _ in events] == [event["index"] for _, event in events] == [1, 2, 3, 4, 5]
        polled = await job.poll()
        assert join_text(events) == events[-1][1]["generated_text"] == polled["generated_text"] == "Grüße 日本 ไทย!"
        assert events[-1][1]["details"] == polled["details"]
    assert len(job.engine.tickets) == 1


@pytest.mark.parametrize("seen", range(5))
async def test_a_stream_resumes_after_the_last_event_that_was_seen(job: JobClient, seen: int) -> None:
    job.ticket.write("a", "b")
    visit = await job.follow(seen)
    job.ticket.write("c")
    job.ticket.write_together("d", "e", reason="length")
    await visit.until_ended()
    events = read_numbered(visit.body)
    assert [number for number, _ in events] == list(range(seen + 1, 6))
    assert events[-1][1]["generated_text"] == "abcde"


async def test_a_reader_that_has_every_event_gets_204_and_any_other_the_rest(job: JobClient) -> None:
    job.ticket.write_together("a", "b", reason="length")
    assert [number for number, _ in read_numbered((await job.resume(1)).content)] == [2]
    for seen in (2, 3):
        end = await job.resume(seen)
        assert (end.status_code, end.content) == (204, b"")
    assert (await job.get("/events", **{"last-event-id": "b"})).status_code == 422
    report = (await job.read_report())["streamed"]
    assert (report["requests"], report["empty_replies"]) == (3, 2)


async def test_a_reader_that_waits_after_the_last_token_gets_an_empty_stream_and_then_204(job: JobClient) -> None:
    job.ticket.write("a")
    visit = await job.follow(1)
    job.ticket.finish("length")
    await visit.until_ended()
    assert (visit.status, visit.body) == (200, b"")
    assert (await job.resume(1)).status_code == 204


async def test_a_failure_is_an_event_with_a_number_and_is_not_repeated(job: JobClient) -> None:
    visit = await job.follow()
    job.ticket.write("a")
    await visit.until(lambda: len(visit.writes) == 1)
    job.ticket.fail(BREAK)
    await visit.until_ended()
    (number, event) = read_numbered(visit.body)[-1]
    assert (number, event["error_type"]) == (2, "generation")
    refused = await job.resume(1)
    assert (refused.status_code, refused.json()) == (424, event)
    assert (await job.resume(2)).status_code == 204


async def test_a_job_that_failed_before_its_first_token_refuses_its_stream_with_a_true_status(job: JobClient) -> None:
    visit = await job.follow()
    job.ticket.fail(BREAK)
    await visit.until_ended()
    assert visit.status == 424
    assert (await job.read_report())["streamed"]["empty_replies"] == 1


async def test_a_disconnect_does_not_stop_the_job_and_deleting_the_job_ends_its_streams(job: JobClient) -> None:
    leaving, staying = await job.follow(), await job.follow()
    job.ticket.write("a")
    await leaving.until(lambda: len(leaving.writes) == 1)
    leaving.leave()
    await leaving.until_ended()
    assert not job.ticket.cancelled
    await job.http.delete(f"/jobs/{job.id}")
    await staying.until_ended()
    assert job.ticket.cancelled
    assert read_numbered(staying.body)[-1][1]["error_type"] == "incomplete_generation"


@pytest.mark.usefixtures("keeps_alive")
async def test_the_report_has_an_arrival_for_each_write_with_a_token(job: JobClient) -> None:
    visit = await job.follow()
    await visit.until(lambda: len(visit.writes) >= 1)
    assert (await job.read_report())["streamed"]["arrivals"] == []
    job.ticket.write("a")
    await visit.until(lambda: b"data: " in visit.body)
    job.ticket.write_together("b", "c", reason="length")
    await visit.until_ended()
    report = await job.read_report()
    stream, made = report["streamed"], report["tokens"]
    assert visit.writes[0] == b": keep-alive\n\n"
    assert (stream["requests"], stream["empty_replies"]) == (1, 0)
    (first, one), (second, all_of_it) = stream["arrivals"]
    assert (one, all_of_it) == (1, 3)
    assert made[0] < first < second
    assert made[1] < second
    assert stream["mean_staleness"] <= max(first - made[0], second - made[1]) + 0.001
