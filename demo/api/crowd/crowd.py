"""A load test: a crowd of HTTP clients that send a request at once, each over a connection of its own.

Knows no route; it is given the server's address.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from typing import Final

from demo.api.crowd.client import CrowdClient
from demo.api.crowd.event_log import EventLog
from demo.api.crowd.request import CrowdRequest
from demo.api.delivery.client_tasks import run_tasks
from demo.api.openapi.reports import CrowdEvent
from demo.engine import Engine
from demo.engines.sandbox import Sandbox
from demo.run import Run

MAX_SECONDS: Final = 120.0


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
