"""The route at which whoever runs this server has its model loaded again, without waiting for the next attempt."""

from collections.abc import Callable
from typing import Final

from fastapi import APIRouter, Request

from demo.api.dialects.errors import Refused
from demo.api.openapi import documents, reports
from demo.api.page_sessions import PageSessions

FORBIDDEN: Final = (
    "Only whoever runs this server may load its model again: send `Authorization: Bearer <key>` where it has an API "
    "key, else ask from the machine that it runs on."
)
IDLE: Final = "There is nothing to load again: the model is ready, or is being loaded now."


def build_reload_routes(reload: Callable[[], bool], sessions: PageSessions) -> APIRouter:
    """POST /reload; `reload` begins the next attempt, or returns False where none is due."""
    router = APIRouter(tags=["inspect"])

    @router.post("/reload", status_code=202, **documents.accepted(reports.Reload, 403, 409))
    async def load_again(request: Request) -> reports.Reload:
        """Load the model again now. For whoever has the API key; without one, for clients on the server's machine."""
        if not sessions.admit_operator(request.scope):
            raise Refused("forbidden", FORBIDDEN)
        if not reload():
            raise Refused("conflict", IDLE)
        return {"status": "loading"}

    return router
