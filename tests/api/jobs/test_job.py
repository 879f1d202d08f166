"""Jobs: the same run, fetched later; each reply counted; results kept for a while; and bounded inboxes for webhooks."""

import json
from typing import Any

import pytest
from fastapi import FastAPI

from demo.api.dialects.errors import Refused
from demo.api.jobs import job as job_module
from demo.api.jobs import run_size
from demo.api.jobs.job import Job, JobStore
from demo.api.jobs.report import MAX_OPEN, DeliveryReport
from demo.api.jobs.webhook import WebhookSender
from demo.api.openapi.reports import InboxDelivery
from demo.api.routes.webhook_inbox import MAX_BYTES, InboxStore
from demo.api.traffic import Traffic
from demo.client_key import make_client_key
from demo.request import Request
from demo.run import Run
from tests.api.client import ask, assert_refused
from tests.api.jobs.conftest import JobClient
from tests.scripted import ScriptedEngine

pytestmark = pytest.mark.anyio


async def test_a_request_for_the_report_is_not_counted_and_no_other_reply_has_the_report(jobs: JobClient) -> None:
    await jobs.begin(webhook_url="/webhooks/inbox/mine")
    first = await jobs.read_report()
    assert await jobs.read_report() == first
    counts = dict.fromkeys(("requests", "empty_replies", "request_bytes", "reply_bytes"), 0)
    assert first["polled"] == first["streamed"] == {**counts, "mean_staleness": None, "arrivals": []}
    assert first["tokens"] == []
    assert not {"report", "webhook"} & set(await jobs.poll())
    assert (await jobs.http.get("/jobs/unknown/report")).status_code == 404


async def test_polling_returns_the_new_tokens_and_at_the_end_the_whole(jobs: JobClient) -> None:
    await jobs.begin()
    assert (await jobs.poll())["state"] == "queued"
    jobs.ticket.start()
    assert (await jobs.poll())["state"] == "running"
    jobs.ticket.write("one ", "two ")
    first = await jobs.poll()
    assert ([token["text"] for token in first["tokens"]], first["next"]) == (["one ", "two "], 2)
    assert (await jobs.poll(since=2))["tokens"] == []
    jobs.ticket.write("three")
    jobs.ticket.finish("eos_token")
    last = await jobs.poll(since=2)
    assert [token["index"] for token in last["tokens"]] == [3]
    assert (last["state"], last["generated_text"]) == ("done", "one two three")
    assert last["details"]["finish_reason"] == "eos_token"
    assert len((await jobs.poll())["tokens"]) == 3


async def test_a_job_counts_its_replies_the_empty_ones_and_the_staleness_of_each_token(jobs: JobClient) -> None:
    await jobs.begin()
    for _ in range(2):
        await jobs.poll()
    jobs.ticket.start_with("a", "b")
    await jobs.poll()
    jobs.ticket.write("c")
    report = await jobs.read_report()
    polled, made = report["polled"], report["tokens"]
    assert (polled["requests"], polled["empty_replies"]) == (3, 2)
    assert (polled["request_bytes"], polled["reply_bytes"]) == (None, None)  # no connection here counts them
    ((at, count),) = polled["arrivals"]
    assert count == 2
    assert 0 < made[0] < made[1] < at < made[2]
    assert polled["mean_staleness"] == pytest.approx(((at - made[0]) + (at - made[1])) / 2)
    await jobs.poll(since=2)
    await jobs.poll()
    again = (await jobs.read_report())["polled"]
    assert [count for _, count in again["arrivals"]] == [2, 3]
    assert (again["requests"], again["empty_replies"]) == (5, 3)


async def test_delete_stops_the_work_and_the_tokens_so_far_can_still_be_fetched(jobs: JobClient) -> None:
    await jobs.begin()
    assert not jobs.ticket.cancelled  # though nothing reads it
    jobs.ticket.start_with("some")
    reply = await jobs.http.delete(f"/jobs/{jobs.id}")
    assert jobs.ticket.cancelled
    assert (reply.status_code, reply.json()["state"]) == (200, "cancelled")
    state = await jobs.poll()
    assert [token["text"] for token in state["tokens"]] == ["some"]
    assert state["error"].startswith("Incomplete generation")


async def test_an_unknown_job_is_404_and_so_is_an_expired_one(jobs: JobClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await jobs.http.get("/jobs/unknown")).json()["error_type"] == "not_found"
    await jobs.begin()
    monkeypatch.setattr(job_module, "KEEP_SECONDS", -1.0)
    assert (await jobs.poll())["state"] == "queued"
    jobs.ticket.finish()
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/events"), ("GET", "/report")):
        assert (await jobs.http.request(method, f"/jobs/{jobs.id}{path}")).status_code == 404


async def test_the_memory_of_results_is_bounded(jobs: JobClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_module, "KEEP_BYTES", int(2.5 * end_job(JobStore(), "192.0.2.7").size))
    ids = []
    for _ in range(4):
        ids.append((await jobs.begin())["id"])
        jobs.ticket.finish()
    assert [(await jobs.http.get(f"/jobs/{id}")).status_code for id in ids] == [404, 404, 200, 200]


def end_job(jobs: JobStore, address: str, key: str = "", words: int = 0) -> Job:
    """A job of a client, which has ended."""
    engine = ScriptedEngine()
    job = jobs.add(Run(engine, Request("hi", client=make_client_key(address, "key", key))), None, False)
    engine.tickets[0].write(*["word "] * words)
    engine.tickets[0].finish()
    return job


def list_kept(jobs: JobStore, ended: list[Job]) -> list[bool]:
    kept = []
    for job in ended:
        try:
            kept.append(jobs.find(job.id) is job)
        except Refused:
            kept.append(False)
    return kept


def test_whoever_sends_many_jobs_pushes_out_its_own_results_under_whatever_key(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = JobStore()
    monkeypatch.setattr(job_module, "KEEP_BYTES", 8 * end_job(JobStore(), "192.0.2.7").size)
    modest = [end_job(jobs, "192.0.2.7") for _ in range(3)]
    greedy = [end_job(jobs, "192.0.2.8", str(number)) for number in range(20)]
    assert list_kept(jobs, modest) == [True] * 3
    assert list_kept(jobs, greedy) == [False] * 15 + [True] * 5
    others = [end_job(jobs, f"198.51.100.{number}") for number in range(4)]
    assert list_kept(jobs, [*modest, *greedy[-5:], *others]).count(True) == 8
    assert list_kept(jobs, others) == [True] * 4


def test_a_long_result_pushes_out_as_many_short_ones_as_take_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = JobStore()
    short = [end_job(jobs, "192.0.2.7") for _ in range(8)]
    long = end_job(jobs, "192.0.2.7", words=100)
    monkeypatch.setattr(job_module, "KEEP_BYTES", long.size + 2 * short[0].size)
    assert list_kept(jobs, [*short, long]) == [False] * 6 + [True] * 3
    assert long.size > 2 * 100 * run_size.EVENT_BYTES


def test_of_a_job_that_is_polled_without_end_the_requests_are_added_up() -> None:
    report = DeliveryReport(submitted=0.0)
    for number in range(1, 301):
        report.record_request(Traffic(request=number, reply=1))
    assert len(report.traffic) <= MAX_OPEN
    report.traffic[-1].reply += 10  # of the last, which is still being sent
    written = report.write()
    assert (written["requests"], written["request_bytes"], written["reply_bytes"]) == (300, 300 * 301 // 2, 310)


@pytest.mark.parametrize(
    "parameters", [{"best_of": 2, "do_sample": True}, {"decoder_input_details": True}, {"temperature": 0}]
)
async def test_what_cannot_be_streamed_cannot_be_a_job(jobs: JobClient, parameters: dict[str, Any]) -> None:
    reply = await jobs.http.post("/jobs", json={"inputs": "a", "parameters": parameters})
    assert (reply.status_code, reply.json()["error_type"]) == (422, "validation")


async def test_the_secret_of_a_webhook_is_in_the_first_reply_only(jobs: JobClient) -> None:
    job = await jobs.begin(webhook_url="/webhooks/inbox/mine")
    assert job["webhook_secret"].startswith("whsec_")
    report = await jobs.read_report()
    url = "http://127.0.0.1:7860/webhooks/inbox/mine"
    assert report["webhook"] == {"url": url, "state": "waiting", "attempts": [], "report": None}
    assert "whsec_" not in json.dumps([await jobs.poll(), report])


async def test_a_job_that_nobody_asks_about_ends_and_one_that_is_asked_about_or_has_a_webhook_does_not() -> None:
    engine, jobs = ScriptedEngine(), JobStore()
    webhook = WebhookSender("http://127.0.0.1:7860", ()).make_webhook("/webhooks/inbox/mine")
    forgotten, asked, called = (jobs.add(Run(engine, Request("hi")), each, False) for each in (None, None, webhook))
    for job in (forgotten, asked, called):
        job.asked -= 60
    jobs.find(asked.id)  # as each of its routes does
    jobs.cancel_unasked(seconds=59)
    assert [ticket.cancelled for ticket in engine.tickets] == [True, False, False]


def make_delivery(body: str = "") -> InboxDelivery:
    return {"received": 0.0, "headers": {}, "body": body}


def test_the_inbox_least_recently_delivered_to_is_dropped_beyond_the_limit() -> None:
    inboxes = InboxStore()
    ids = [str(number) for number in range(66)]
    for id in [*ids[:-2], ids[0], *ids[-2:]]:
        inboxes.add(id, make_delivery())
    assert [id for id in ids if inboxes.read(id)] == [ids[0], *ids[3:]]


def test_an_inbox_keeps_its_last_deliveries_oldest_first() -> None:
    inboxes = InboxStore()
    deliveries = [make_delivery(str(number)) for number in range(6)]
    for delivery in deliveries:
        inboxes.add("mine", delivery)
    assert inboxes.read("mine") == deliveries[-4:]


def test_an_inbox_that_is_only_read_takes_no_place() -> None:
    inboxes = InboxStore()
    inboxes.add("mine", make_delivery())
    for number in range(64):
        assert inboxes.read(str(number)) == []
    inboxes.add("other", make_delivery())
    assert inboxes.read("mine")


@pytest.mark.parametrize(("size", "status"), [(MAX_BYTES, 204), (MAX_BYTES + 1, 413)])
def test_one_delivery_is_bounded(app: FastAPI, size: int, status: int) -> None:
    path = f"/webhooks/inbox/size-{size}"
    response = ask(app, "POST", path, content=b"x" * size)
    deliveries = ask(app, "GET", path).json()["deliveries"]
    assert response.status_code == status
    assert [len(delivery["body"]) for delivery in deliveries] == ([MAX_BYTES] if status == 204 else [])


def test_of_the_headers_only_those_of_a_webhook_are_kept(app: FastAPI) -> None:
    headers = {"webhook-id": "1", "content-type": "text/plain", "authorization": "Bearer secret", "x-large": "x" * 1000}
    ask(app, "POST", "/webhooks/inbox/headers", content=b"\xff", headers=headers)
    (delivery,) = ask(app, "GET", "/webhooks/inbox/headers").json()["deliveries"]
    assert delivery["headers"] == {"webhook-id": "1", "content-type": "text/plain"}
    assert delivery["body"] == "\ufffd"


@pytest.mark.parametrize("id", ["a b", "ä", "x" * 65])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_id_is_refused(app: FastAPI, method: str, id: str) -> None:
    path = f"/webhooks/inbox/{id}"
    assert_refused(ask(app, method, path), path, 422, "validation", "id")
