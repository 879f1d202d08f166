"""The API as one application: its routes, what stands before them, its errors; everything else is the page's."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount

from demo import __version__
from demo.api import generation
from demo.api.access import REQUEST_ID, AccessLog
from demo.api.documents import TIMING_HEADERS, add_event_schemas
from demo.api.errors import Refused, answer_error, respond
from demo.api.inbox import build_inbox_routes
from demo.api.inspection import build_inspection_routes
from demo.api.job_routes import build_job_routes
from demo.api.limits import BodyLimit, Gate
from demo.api.metrics import MeasuredEngine
from demo.api.webhooks import Postman
from demo.errors import BadRequest, DemoError
from demo.settings import Settings

UNLOGGED: Final = {"/", "/health", "/ping", "/metrics"}  # asked all the time, by machines; `POST /` is logged
PAGE: Final = {("/", "GET"), ("/", "HEAD")}
LOCAL_URL: Final = "http://127.0.0.1:7860"
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def create_api(
    engine: MeasuredEngine, settings: Settings, page: FastAPI | None = None, url: str = LOCAL_URL
) -> FastAPI:
    """The API in front of `engine`, reached at `url`, and `page` behind all paths that are not its own."""

    @asynccontextmanager
    async def live(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            if page is not None:
                await stack.enter_async_context(page.router.lifespan_context(page))
            yield

    app = FastAPIOffline(
        title="Token streaming",
        version=__version__,
        summary="One language model; answers streamed and whole; the clients of text-generation-inference and OpenAI.",
        lifespan=live,
        redoc_url=None,
    )
    app.include_router(generation.build_generation_routes(engine))
    app.include_router(build_job_routes(engine, Postman(url, settings.webhook_allow)))
    app.include_router(build_inbox_routes())
    app.include_router(build_inspection_routes(engine))
    _document_streams(app)
    paths = sorted(app.openapi()["paths"])
    _refuse_other_methods(app)
    if page is not None:
        app.mount("", page)
    for each in (app, *_mounted(app)):
        speak_our_errors(each)
    _stand_before(app, engine, settings, paths)
    return app


def _document_streams(app: FastAPI) -> None:
    write = app.openapi

    def write_all() -> dict[str, Any]:
        document = write()
        add_event_schemas(document)
        return document

    app.openapi = write_all  # type: ignore[method-assign] # FastAPI's own way of extending its document


def speak_our_errors(app: FastAPI) -> None:
    """Errors of every kind, also Starlette's and FastAPI's own, in the shapes that clients know."""
    app.add_exception_handler(DemoError, answer_error)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_http)


def _stand_before(app: FastAPI, engine: MeasuredEngine, settings: Settings, paths: Sequence[str]) -> None:
    # The last added is the first to be asked.
    app.add_middleware(Gate, engine=engine, paths=generation.GENERATING_PATHS, api_key=settings.api_key)
    app.add_middleware(BodyLimit)
    if settings.cors_allow_origin:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_allow_origin,
            allow_methods=METHODS,
            allow_headers=["Authorization", "Content-Type", REQUEST_ID],
            expose_headers=[*TIMING_HEADERS, REQUEST_ID, "Retry-After", "Location"],
        )
    roots = {"/" + path.split("/")[1] for path in paths} - UNLOGGED
    app.add_middleware(AccessLog, paths=sorted(roots), with_prompts=settings.log_prompts)


def _refuse_other_methods(app: FastAPI) -> None:
    """A path of the API never falls through to the page, except `PAGE`."""
    known: dict[str, set[str]] = {}
    for path, operations in app.openapi()["paths"].items():
        known[path] = {method.upper() for method in operations}
    for path, methods in known.items():
        others = [method for method in METHODS if method not in methods and (path, method) not in PAGE]
        app.add_api_route(path, _refuse_method(sorted(methods)), methods=others, include_in_schema=False)
    app.add_api_route("/v1/{path:path}", _refuse_path, methods=list(METHODS), include_in_schema=False)


def _refuse_method(allowed: Sequence[str]) -> Any:
    async def refuse(request: Request) -> Response:
        sentence = f"{request.method} is not possible here: use {' or '.join(allowed)}."
        response = respond(request.url.path, Refused("method_not_allowed", sentence))
        response.headers["Allow"] = ", ".join(allowed)
        return response

    return refuse


async def _refuse_path(request: Request) -> Response:
    return respond(request.url.path, Refused("not_found", f"There is no {request.url.path}: see /docs."))


async def _answer_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return respond(request.url.path, BadRequest(explain_invalid(error.errors())))


def explain_invalid(errors: Sequence[Any]) -> str:
    """The first thing that was wrong with a body, in one sentence."""
    first = errors[0]
    place = ".".join(str(part) for part in first["loc"] if part != "body")
    if first["type"] == "json_invalid":
        return f"the body is not JSON ({first['ctx']['error']} at character {place}): send a JSON object."
    if not place:
        return "the body is missing or not a JSON object: send one, with Content-Type: application/json."
    more = f" ({len(errors) - 1} more like it)" if len(errors) > 1 else ""
    return f"`{place}`: {first['msg']}{more}."


async def _answer_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 400:
        return respond(request.url.path, BadRequest("the body is not JSON in UTF-8: send a JSON object."))
    kinds = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}
    kind = kinds.get(error.status_code, HTTPStatus(error.status_code).phrase.lower().replace(" ", "_"))
    sentence = f"There is no {request.url.path}: see /docs." if error.status_code == 404 else str(error.detail)
    response = respond(request.url.path, Refused(kind, sentence))
    response.status_code = error.status_code
    response.headers.update(error.headers or {})
    return response


def _mounted(app: FastAPI) -> list[FastAPI]:
    found: list[FastAPI] = []
    for route in app.routes:
        if isinstance(route, Mount) and isinstance(route.app, FastAPI):
            found += [route.app, *_mounted(route.app)]
    return found
