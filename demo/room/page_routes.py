"""The routes of the phones' page. It says itself where there is no room with its code."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from demo.api.openapi import documents
from demo.room.path_parameters import Code
from demo.room.phone_page import PhonePage

PAGE = "The phone's page."
HTML = "text/html"


def add_page_routes(router: APIRouter) -> None:
    """Add them to `router`."""
    page = PhonePage()

    @router.get("/room", **documents.text(PAGE, media=HTML))
    async def ask_for_code(request: Request) -> Response:
        """The page on which a phone enters a room's code."""
        return page.respond(request.headers.get("accept-encoding", ""))

    @router.get("/room/{code}", **documents.text(PAGE, 422, media=HTML))
    async def open_page(request: Request, code: Code) -> Response:
        """The page of a phone in a room."""
        return page.respond(request.headers.get("accept-encoding", ""))
