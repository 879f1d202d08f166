"""A load test: a crowd of HTTP clients that send a request at once, each over a connection of its own.

Knows no route; it is given the server's address. One runs at a time, under an id that cannot be guessed.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from demo.api.crowd.client import CrowdClient
from demo.api.crowd.event_log import EventLog
from demo.api.crowd.request import CrowdRequest
from demo.api.delivery.client_tasks import run_tasks, run_until_first_ends, wait_for_disconnect
from demo.api.delivery.streamed import KEEP_ALIVE_SECONDS
from demo.api.dialects import sse
from demo.api.dialects.body import write_ignored
from demo.api.dialects.errors import Refused
from demo.api.openapi.reports import CrowdEvent
from demo.engine import Engine
from demo.engines.sandbox import Sandbox
from demo.errors import Overloaded
from demo.run import Run

MAX_SECONDS: Final = 120.0
GRACE_SECONDS: Final = 30.0  # for a client that reads the events slowly


class Crowd:
    """The clients of one plan, and the sandbox that answers them. Begins on construction: `follow` it, and `close` it.

    To the engine all of them are `client`, the one that requested the load test: as twenty clients they would get
    twenty times the share of any other client.
    """

    def __init__(self, engine: Engine, server_url: str, plan: CrowdRequest, client: str) -> None:
        self.id = secrets.token_urlsafe(16)
        self.sandbox = Sandbox(engine, plan.limit)
        self.client = client
        self._log = log = EventLog()
        log.record(
            "begun",
            0.0,
            clients=plan.clients,
            limit=self.sandbox.limit,
            retry=plan.retry,
            max_new_tokens=plan.max_new_tokens,
            seed=plan.seed,
            attempts=plan.attempts,
        )
        url = f"{server_url}/crowds/{self.id}/generate_stream"
        self._clients = [CrowdClient(number, url, plan, log) for number in range(1, plan.clients + 1)]
        self._task = asyncio.ensure_future(self._run())
        self._task.add_done_callback(lambda _: log.end())

    @property
    def ended(self) -> bool:
        return self._log.ended

    async def close(self) -> None:
        """Stop all clients and free the sandbox. Harmless after the end."""
        self.sandbox.close()
        self._task.cancel()
        await asyncio.wait({self._task})

    def record_admission(self, number: int, run: Run) -> None:
        """The sandbox has admitted client `number`, which does not know it before its first token."""
        if number <= len(self._clients):
            self._clients[number - 1].record_admission(run)

    async def follow(self, silence: float) -> AsyncIterator[Sequence[CrowdEvent]]:
        """The events as they happen, to the end; an empty batch after `silence` seconds without one."""
        async for batch in self._log.follow(silence):
            yield batch
        await self._task

    async def _run(self) -> None:
        async with run_tasks(*(client.request_until_served() for client in self._clients)) as tasks:
            _, late = await asyncio.wait(tasks, timeout=MAX_SECONDS)
        self.sandbox.close()
        clients = [client.record for client in self._clients]
        self._log.record("ended", self._log.now(), in_time=not late, clients=clients, refusal=self._log.refusal)
        self._log.end()


class CrowdRegistry:
    """Admits a load test while no other is running."""

    def __init__(self, engine: Engine, server_url: str) -> None:
        self._engine = engine
        self._server_url = server_url
        self._running: Crowd | None = None

    @contextmanager
    def admit(self, plan: CrowdRequest, client: str) -> Iterator[Crowd]:
        """A new load test for `client`, until it is released or the block ends. Raises Overloaded."""
        if self._running is not None:
            raise Overloaded("Another load test is running: try again when it has ended.")
        crowd = self._running = Crowd(self._engine, self._server_url, plan, client)
        try:
            yield crowd
        finally:
            self.release(crowd)

    def release(self, crowd: Crowd) -> None:
        if self._running is crowd:
            self._running = None

    def find(self, id: str) -> Crowd:
        """Raises Refused (404) if that load test is not running."""
        if self._running is None or self._running.id != id:
            raise Refused("not_found", "There is no such load test: it never existed, or it has ended.")
        return self._running


class CrowdStream(Response):
    """Runs a load test and streams its events. However it ends, all clients of the load test are stopped."""

    def __init__(self, crowds: CrowdRegistry, plan: CrowdRequest, client: str) -> None:
        super().__init__()
        self._crowds = crowds
        self._plan = plan
        self._client = client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._crowds.admit(self._plan, self._client) as crowd:
            try:
                timeout = asyncio.sleep(MAX_SECONDS + GRACE_SECONDS)
                await run_until_first_ends(wait_for_disconnect(receive), timeout, self._deliver(crowd, send))
            finally:
                await crowd.close()

    async def _deliver(self, crowd: Crowd, send: Send) -> None:
        headers = Headers({"Content-Type": sse.CONTENT_TYPE, **sse.HEADERS, **write_ignored(self._plan)}).raw
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for batch in crowd.follow(KEEP_ALIVE_SECONDS):
            if crowd.ended:
                self._crowds.release(crowd)  # before the last event is sent: its reader may start the next load test
            body = b"".join(map(sse.frame, batch)) or sse.KEEP_ALIVE
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
