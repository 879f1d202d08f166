"""The routes of rooms, as one router: opening and leading a room, joining one, and the phones' page."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import Response

from demo.api.openapi import documents
from demo.engine import Engine
from demo.engines.draining import Drain
from demo.room.bodies import Code
from demo.room.phone_page import PhonePage
from demo.room.phone_routes import add_phone_routes
from demo.room.public_address import PublicAddress
from demo.room.registry import Registry
from demo.room.teacher_routes import add_teacher_routes
from demo.trace import Trace

PAGE = "The phone's page."
HTML = "text/html"


def build_room_routes(
    engine: Engine, recordings: Sequence[Trace], address: PublicAddress, drain: Drain | None = None
) -> APIRouter:
    """Rooms on `engine`, or with `recordings` where no model answers; phones reach them at `address`."""
    registry = Registry(engine, recordings, drain or Drain(0))

    @asynccontextmanager
    async def close_rooms(app: FastAPI) -> AsyncIterator[None]:
        yield
        registry.close_all("server")

    router = APIRouter(tags=["room"], lifespan=close_rooms)
    add_teacher_routes(router, registry, address)
    add_phone_routes(router, registry)
    _add_page_routes(router)
    return router


def _add_page_routes(router: APIRouter) -> None:
    """The phones' page says itself where there is no room with its code."""
    page = PhonePage()

    @router.get("/room", **documents.text(PAGE, media=HTML))
    async def ask_for_code(request: Request) -> Response:
        """The page on which a phone enters a room's code."""
        return page.respond(request.headers.get("accept-encoding", ""))

    @router.get("/room/{code}", **documents.text(PAGE, 422, media=HTML))
    async def open_page(request: Request, code: Code) -> Response:
        """The page of a phone in a room."""
        return page.respond(request.headers.get("accept-encoding", ""))
