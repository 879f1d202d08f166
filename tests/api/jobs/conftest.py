"""An API with jobs, an engine in the test's hands, and a client of both."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from tests.api.script import AnsweredTicket, TicketEngine, open_api
from tests.api.visit import Visit


class JobClient:
    """Starts jobs, and fetches them in every way."""

    def __init__(self) -> None:
        self.engine, self.id = TicketEngine(), ""
        self.app = open_api(self.engine)
        self.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(self.app), base_url="http://test")

    async def begin(self, **more: Any) -> dict[str, Any]:
        """A new job, which the other methods are about."""
        reply = await self.http.post("/jobs", json={"inputs": "hello", **more})
        assert reply.status_code == 202, reply.text
        job: dict[str, Any] = reply.json()
        self.id = job["id"]
        assert (reply.headers["location"], reply.headers["retry-after"]) == (f"/jobs/{self.id}", "1")
        return job

    @property
    def ticket(self) -> AnsweredTicket:
        """Of the last job."""
        return self.engine.ticket(-1)

    async def get(self, path: str = "", **headers: str) -> httpx2.Response:
        """A reply below the job."""
        return await self.http.get(f"/jobs/{self.id}{path}", headers=headers)

    async def poll(self, since: int = 0) -> dict[str, Any]:
        reply = await self.get(f"?since={since}")
        assert reply.status_code == 200, reply.text
        state: dict[str, Any] = reply.json()
        assert reply.headers.get("retry-after") == ("1" if state["state"] in ("queued", "running") else None)
        return state

    async def read_report(self) -> Any:
        reply = await self.get("/report")
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def resume(self, last_seen: int) -> httpx2.Response:
        """The rest of the stream of a job that has ended."""
        return await self.get("/events", **{"last-event-id": str(last_seen)})

    async def follow(self, last_seen: int | None = None) -> Visit:
        """A reader of the stream that is being answered."""
        headers = {} if last_seen is None else {"last-event-id": str(last_seen)}
        return await Visit(self.app, f"/jobs/{self.id}/events", {}, headers, "GET").start().until_listening()


@pytest.fixture
async def jobs(anyio_backend: str) -> AsyncIterator[JobClient]:
    client = JobClient()
    async with client.app.router.lifespan_context(client.app), client.http:
        yield client
