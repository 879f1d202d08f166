"""The routes of jobs: ask now, fetch later by polling, or be told by a webhook. The same runs as everywhere else."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, FastAPI, Header, Query, Request
from pydantic import Field
from starlette.responses import JSONResponse, Response

from demo.api.client import Client, ask_as
from demo.api.dialects.errors import RETRY_AFTER_SECONDS
from demo.api.dialects.native import GenerateRequest
from demo.api.dialects.number_fields import Place
from demo.api.jobs.event_stream import JobEventStream
from demo.api.jobs.job import Job, Jobs, Report, describe
from demo.api.jobs.webhooks import WebhookSender
from demo.api.openapi import documents, reports
from demo.api.routes.generation import find_card, start_run
from demo.api.traffic import find_traffic
from demo.events import Engine


class JobRequest(GenerateRequest):
    """What `/jobs` takes: as `/generate_stream`, and where to send the result."""

    webhook_url: str | None = Field(
        default=None,
        description="Where the result is POSTed, signed: /webhooks/inbox/<any id>, or an address that the operator "
        "allowed. Without it the job is polled.",
    )


def build_job_routes(engine: Engine, postman: WebhookSender) -> APIRouter:
    """POST /jobs; GET and DELETE of one, its stream, and what each way to its answer took."""
    jobs, deliveries = Jobs(), set[asyncio.Task[None]]()

    @asynccontextmanager
    async def live(app: FastAPI) -> AsyncIterator[None]:
        yield
        for task in deliveries:
            task.cancel()

    router = APIRouter(prefix="/jobs", tags=["later"], lifespan=live)

    @router.post("", status_code=202, **documents.job(202, 401, 413, 422, 429, 503))
    async def begin(http: Request, client: Client, body: JobRequest) -> JSONResponse:
        """Generate without keeping the connection."""
        root = http.scope.get("root_path", "")
        known_as = (root, str(http.base_url).rstrip("/"))
        webhook = postman.address(body.webhook_url, *known_as) if body.webhook_url is not None else None
        (request,) = ask_as(client, body.requests(find_card(engine), streamed=True))
        job = jobs.add(await start_run(engine, request), webhook, body.parameters.return_progress)
        if webhook is not None:
            task = asyncio.create_task(post_result(postman, job))
            deliveries.add(task)
            task.add_done_callback(deliveries.discard)
        told: reports.JobState = {**job.tell(0), "tokens": [], "next": 0}
        if webhook is not None:
            told["webhook_secret"] = webhook.secret
        return _reply(told, 202, f"{root}/jobs/{job.id}")

    @router.get("/{id}", **documents.job(200, 404, 422))
    async def poll(
        request: Request, id: str, since: Annotated[Place, Query(description="Tokens that you have.")] = 0
    ) -> JSONResponse:
        """What is new after token `since`: possibly nothing."""
        job = jobs.find(id)
        told = job.tell(since)
        job.note_reply(told["next"], find_traffic(request.scope))
        return _reply(told)

    @router.get("/{id}/events", **documents.resumed_stream())
    async def follow(
        request: Request,
        id: str,
        last_event_id: Annotated[Place, Header(description="The last event that you have.")] = 0,
    ) -> Response:
        """Its run from the first token, as `/generate_stream` sends it, in events that a browser's EventSource follows.

        Each has its number as `id`. After a break the stream goes on behind `Last-Event-ID`; where that was the last
        event, the reply is 204, upon which an EventSource stops asking. Leaving does not stop the job.
        """
        return JobEventStream.answer(jobs.find(id), last_event_id, find_traffic(request.scope))

    # Apart from the replies it tells of: within them it would add to the very bytes that it counts.
    @router.get("/{id}/report", **documents.reply(reports.Report, 404, 422))
    async def report(id: str) -> reports.Report:
        """What each way to its answer took so far. Asking this is not counted."""
        return jobs.find(id).report()

    @router.delete("/{id}", **documents.job(200, 404, 422))
    async def cancel(id: str) -> JSONResponse:
        """Stop it, within a token."""
        job = jobs.find(id)
        job.cancel()
        return _reply(job.tell(0))

    return router


def _reply(told: reports.JobState, status: int = 200, location: str | None = None) -> JSONResponse:
    response = JSONResponse(told, status)
    if told["state"] in ("queued", "running"):
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if location is not None:
        response.headers["Location"] = location
    return response


async def post_result(postman: WebhookSender, job: Job) -> None:
    """Wait for a job's end, and send its result to its webhook."""
    assert job.webhook is not None
    async for _ in job.run.attach():
        pass
    answer = job.read()
    result = {"type": "job.ended", "data": {"id": job.id, **describe(answer)}}
    body = json.dumps(result, ensure_ascii=False).encode()
    await postman.deliver(job.webhook, job.id, body)
    report = Report(job.run.submitted, requests=len(job.webhook.attempts), traffic=[job.webhook.traffic])
    if job.webhook.accepted is not None:
        report.note_arrival(answer.tokens, job.webhook.accepted)
    job.webhook.report = report.write()
