"""The routes of rooms, as one router: opening and leading a room, joining one, and the phones' page."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from demo.drain import Drain
from demo.engine import Engine
from demo.room.page_routes import add_page_routes
from demo.room.phone_routes import add_phone_routes
from demo.room.public_address import PublicAddress
from demo.room.registry import Registry
from demo.room.teacher_routes import add_teacher_routes
from demo.trace import Trace


def build_room_routes(
    engine: Engine, recordings: Sequence[Trace], address: PublicAddress, drain: Drain | None = None
) -> APIRouter:
    """Rooms on `engine`, or with `recordings` where no model answers; phones reach them at `address`."""
    registry = Registry(engine, recordings, drain)

    @asynccontextmanager
    async def close_rooms(app: FastAPI) -> AsyncIterator[None]:
        yield
        registry.close_all("server")

    router = APIRouter(tags=["room"], lifespan=close_rooms)
    add_teacher_routes(router, registry, address)
    add_phone_routes(router, registry)
    add_page_routes(router)
    return router
