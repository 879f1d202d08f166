"""The routes of load tests: one that runs a load test, and one in its sandbox that its clients request.

The clients run in this process. A browser would queue them, since it opens at most six connections to a server.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from demo.api.client import Client
from demo.api.crowd.crowd import CrowdRegistry, CrowdStream
from demo.api.crowd.request import MAX_CLIENTS, CrowdRequest
from demo.api.delivery.streamed import StreamedResponse
from demo.api.dialects.native import GenerateRequest, NativeDialect
from demo.api.json_route import JsonRoute
from demo.api.openapi import documents, reports
from demo.api.routes.generation import find_card, start_runs
from demo.engine import Engine


def build_crowd_routes(engine: Engine, server_url: str) -> APIRouter:
    """POST /crowds, and the route that its clients request at `server_url`."""
    crowds, router = CrowdRegistry(engine, server_url), APIRouter(route_class=JsonRoute, tags=["crowd"])

    @router.post("/crowds", **documents.crowd(reports.CrowdEvent))
    async def gather(client: Client, body: CrowdRequest) -> Response:
        """Run a load test against a limit of its own, and stream what happens to each client."""
        return CrowdStream(crowds, body, client)

    async def generate_stream(
        id: str, client: Annotated[int, Query(ge=1, le=MAX_CLIENTS)], body: GenerateRequest
    ) -> Response:
        """`/generate_stream` in the sandbox of a running load test, for its own clients."""
        crowd = crowds.find(id)
        card = find_card(engine)
        (run,) = await start_runs(crowd.sandbox, crowd.client, body.size, lambda: body.requests(card, streamed=True))
        crowd.record_admission(client, run)
        return StreamedResponse([run], NativeDialect(body.parameters, card.device))

    options: Any = {"methods": ["POST"], "include_in_schema": False, "route_class_override": make_admission(crowds)}
    router.add_api_route("/crowds/{id}/generate_stream", generate_stream, **options)
    return router


def make_admission(crowds: CrowdRegistry) -> type[APIRoute]:
    """A route that refuses before the body is read, as AdmissionMiddleware does for the other routes."""

    class AdmissionRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]  # not a Coroutine
            handle = super().get_route_handler()

            async def admit(request: Request) -> Response:
                crowds.find(request.path_params["id"]).sandbox.admit()
                return await handle(request)

            return admit

    return AdmissionRoute
