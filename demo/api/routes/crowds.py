"""The routes of crowds: one that tells what happens to a crowd of clients, and the one in its sandbox that they ask.

The clients run in this process, since a browser opens six connections to a server at most: there a crowd would queue
before it is seen.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from demo.api.client import Client, ask_as
from demo.api.crowd.crowd import LONGEST_SECONDS, Crowd, Plan
from demo.api.delivery.response import KEEP_ALIVE_SECONDS, StreamedResponse, wait_until_left
from demo.api.dialects import sse
from demo.api.dialects.errors import Refused
from demo.api.dialects.native import GenerateRequest, NativeDialect
from demo.api.dialects.number_fields import Seed
from demo.api.openapi import documents, reports
from demo.api.routes.generation import find_card, start_run
from demo.errors import Overloaded
from demo.events import Engine

GRACE_SECONDS: Final = 30.0  # for whoever is slow to read what the crowd went through
MAX_CLIENTS: Final = 40


class CrowdRequest(BaseModel):
    """What `/crowds` takes."""

    model_config = ConfigDict(strict=True, extra="ignore", json_schema_extra={"example": {"clients": 5, "limit": 2}})

    clients: int = Field(default=20, ge=1, le=MAX_CLIENTS, description="How many ask at once.")
    limit: int = Field(
        default=4, ge=1, le=8, description="How many are answered at once; at most a quarter of the server's own limit."
    )
    retry: bool = Field(default=False, description="Whether those who are refused back off and ask again.")
    max_new_tokens: int = Field(default=16, ge=4, le=64, description="Tokens of each answer.")
    seed: Seed | None = Field(default=None, description="Same seed: same pauses between attempts.")

    def plan(self) -> Plan:
        """As a value."""
        return Plan(self.clients, self.limit, self.retry, self.max_new_tokens, self.seed)


class Crowds:
    """The one crowd that may be there, at an address that nobody can guess."""

    def __init__(self, engine: Engine, server_url: str) -> None:
        self._engine = engine
        self._server_url = server_url
        self._present: Crowd | None = None

    @contextmanager
    def admit(self, plan: Plan, client: str) -> Iterator[Crowd]:
        """A new crowd for `client`, present until it is seen off. Raises Overloaded while another one is."""
        if self._present is not None:
            raise Overloaded("Another crowd is being served: try again when it has finished.")
        crowd = self._present = Crowd(self._engine, self._server_url, plan, client)
        try:
            yield crowd
        finally:
            self.release(crowd)

    def release(self, crowd: Crowd) -> None:
        """The next one may come."""
        if self._present is crowd:
            self._present = None

    def find(self, id: str) -> Crowd:
        """Raises Refused (404) where it is not there, or no more."""
        if self._present is None or self._present.id != id:
            raise Refused("not_found", "There is no such crowd: it never existed, or it has finished.")
        return self._present


class CrowdStream(Response):
    """Begins a crowd and tells what happens to it. However this ends, the crowd goes home."""

    def __init__(self, crowds: Crowds, plan: Plan, client: str) -> None:
        super().__init__()
        self._crowds = crowds
        self._plan = plan
        self._client = client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._crowds.admit(self._plan, self._client) as crowd:
            tasks = [asyncio.ensure_future(each) for each in (wait_until_left(receive), self._tell(crowd, send))]
            try:
                limit = LONGEST_SECONDS + GRACE_SECONDS
                await asyncio.wait(tasks, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await crowd.close()
                await asyncio.wait(tasks)
            for task in tasks:
                if not task.cancelled():
                    task.result()

    async def _tell(self, crowd: Crowd, send: Send) -> None:
        headers = {"content-type": sse.CONTENT_TYPE, **sse.HEADERS}
        encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": encoded})
        crowd.begin()
        async for batch in crowd.follow(KEEP_ALIVE_SECONDS):
            if crowd.over:
                self._crowds.release(crowd)  # before it is told: whoever reads it may begin the next one
            body = b"".join(map(sse.frame, batch)) or sse.KEEP_ALIVE
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def build_crowd_routes(engine: Engine, server_url: str) -> APIRouter:
    """POST /crowds, and what its clients ask at `server_url`."""
    crowds, router = Crowds(engine, server_url), APIRouter(tags=["crowd"])

    class Guarded(APIRoute):
        """Refuses before the body is read, as the gate before the other routes does."""

        def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]  # not a Coroutine
            answer = super().get_route_handler()

            async def guard(request: Request) -> Response:
                crowds.find(request.path_params["id"]).sandbox.admit()
                return await answer(request)

            return guard

    @router.post("/crowds", **documents.crowd(reports.CrowdEvent))
    async def gather(client: Client, body: CrowdRequest) -> Response:
        """Have many clients ask at once, against a limit, and tell what happens to each, as it happens."""
        return CrowdStream(crowds, body.plan(), client)

    async def generate_stream(
        id: str, client: Annotated[int, Query(ge=1, le=MAX_CLIENTS)], body: GenerateRequest
    ) -> Response:
        """`/generate_stream` in the sandbox of a crowd, while that is there, for its own clients."""
        crowd = crowds.find(id)
        card = find_card(engine)
        (request,) = ask_as(crowd.client, body.requests(card, streamed=True))
        run = await start_run(crowd.sandbox, request)
        crowd.note_admission(client, run)
        return StreamedResponse([run], NativeDialect(body.parameters, card.device))

    options: Any = {"methods": ["POST"], "include_in_schema": False, "route_class_override": Guarded}
    router.add_api_route("/crowds/{id}/generate_stream", generate_stream, **options)
    return router
