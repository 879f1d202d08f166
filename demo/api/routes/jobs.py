"""The routes of jobs: start now, and fetch the result later by polling, by a stream, or by a webhook."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Final

from fastapi import APIRouter, FastAPI, Header, Query, Request
from pydantic import Field
from starlette.responses import JSONResponse, Response

from demo.api.client import Client
from demo.api.dialects.body import write_ignored
from demo.api.dialects.errors import RETRY_AFTER_SECONDS
from demo.api.dialects.native import GenerateRequest
from demo.api.dialects.number_fields import Place
from demo.api.jobs.event_stream import JobEventStream
from demo.api.jobs.job import Job, JobStore, write_result
from demo.api.jobs.report import DeliveryReport
from demo.api.jobs.webhook import WebhookSender
from demo.api.json_route import JsonRoute
from demo.api.openapi import documents, reports
from demo.api.routes.generation import find_card, start_runs
from demo.api.traffic import find_traffic
from demo.engine import Engine

LOOK_SECONDS = 5.0  # between two looks for jobs that nobody has asked about
MAX_URL: Final = 2048  # characters


class JobRequest(GenerateRequest):
    """The body of `/jobs`: as of `/generate_stream`, and where to send the result."""

    webhook_url: str | None = Field(
        default=None,
        max_length=MAX_URL,
        description="Where the result is POSTed, signed: /webhooks/inbox/<any id>, or an address that the operator "
        "allowed. Without it the job is polled.",
    )


def build_job_routes(engine: Engine, sender: WebhookSender) -> APIRouter:
    """POST /jobs, and the routes of one job."""
    jobs, deliveries = JobStore(), set[asyncio.Task[None]]()

    @asynccontextmanager
    async def run_tasks(app: FastAPI) -> AsyncIterator[None]:
        cancelling = asyncio.create_task(cancel_unasked(jobs))
        yield
        for task in (cancelling, *deliveries):
            task.cancel()

    router = APIRouter(route_class=JsonRoute, prefix="/jobs", tags=["later"], lifespan=run_tasks)

    @router.post("", status_code=202, **documents.job(202, 401, 413, 422, 429, 503))
    async def begin(http: Request, client: Client, body: JobRequest) -> JSONResponse:
        """Generate without keeping the connection."""
        root = http.scope.get("root_path", "")
        prefixes = (root, str(http.base_url).rstrip("/"))
        webhook = sender.make_webhook(body.webhook_url, *prefixes) if body.webhook_url is not None else None
        card = find_card(engine)
        (run,) = await start_runs(engine, client, body.size, lambda: body.requests(card, streamed=True))
        job = jobs.add(run, webhook, body.parameters.return_progress)
        if webhook is not None:
            task = asyncio.create_task(post_result(sender, job))
            deliveries.add(task)
            task.add_done_callback(deliveries.discard)
        state: reports.JobState = {**job.write(0), "tokens": [], "next": 0}
        if webhook is not None:
            state["webhook_secret"] = webhook.secret
        return _reply(state, 202, {"Location": f"{root}/jobs/{job.id}", **write_ignored(body)})

    _add_routes_of_one_job(router, jobs)
    return router


def _add_routes_of_one_job(router: APIRouter, jobs: JobStore) -> None:
    @router.get("/{id}", **documents.job(200, 404, 422))
    async def poll(
        request: Request, id: str, since: Annotated[Place, Query(description="How many tokens you have.")] = 0
    ) -> JSONResponse:
        """The tokens after token `since`, if there are any."""
        job = jobs.find(id)
        state = job.write(since)
        job.record_poll(state["next"], find_traffic(request.scope))
        return _reply(state)

    @router.get("/{id}/events", **documents.resumed_stream())
    async def follow(
        request: Request,
        id: str,
        last_event_id: Annotated[Place, Header(description="The `id` of the last event that you have.")] = 0,
    ) -> Response:
        """The job from its first token, in the events of `/generate_stream`, for a browser's EventSource.

        Each event has its number as `id`. After a disconnect the stream resumes after `Last-Event-ID`; if that was the
        last event, the reply is 204, after which an EventSource does not reconnect. A disconnect does not stop the job.
        """
        return JobEventStream.open(jobs.find(id), last_event_id, find_traffic(request.scope))

    # Not part of the other replies, whose bytes it counts.
    @router.get("/{id}/report", **documents.reply(reports.Report, 404, 422))
    async def report(id: str) -> reports.Report:
        """What each way of delivery cost so far. This request is not counted."""
        return jobs.find(id).write_report()

    @router.delete("/{id}", **documents.job(200, 404, 422))
    async def cancel(id: str) -> JSONResponse:
        """Stop the job within one token."""
        job = jobs.find(id)
        job.run.cancel()
        return _reply(job.write(0))


def _reply(state: reports.JobState, status: int = 200, headers: Mapping[str, str] | None = None) -> JSONResponse:
    response = JSONResponse(state, status, headers)
    if state["state"] in ("queued", "running"):
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


async def cancel_unasked(jobs: JobStore) -> None:
    """Look for jobs that nobody waits for, until the server ends."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        jobs.cancel_unasked()


async def post_result(sender: WebhookSender, job: Job) -> None:
    """Wait for the job's end, and send its result to its webhook."""
    assert job.webhook is not None
    async for _ in job.run.attach(waits_for_end=True):
        pass
    answer = job.read()
    result = {"type": "job.ended", "data": {"id": job.id, **write_result(answer)}}
    body = json.dumps(result, ensure_ascii=False).encode()
    await sender.deliver(job.webhook, job.id, body)
    report = DeliveryReport(job.run.submitted, requests=len(job.webhook.attempts), traffic=[job.webhook.traffic])
    if job.webhook.accepted is not None:
        report.record_arrival(answer.tokens, job.webhook.accepted)
    job.webhook.report = report.write()
