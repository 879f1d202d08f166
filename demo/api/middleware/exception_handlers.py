"""Handlers for other methods, unknown paths, invalid bodies and Starlette's errors, in TGI's and OpenAI's formats."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount

from demo.api.dialects.errors import Refused, respond
from demo.api.middleware.root_path import find_route_path
from demo.api.middleware.validation_sentence import explain_invalid
from demo.errors import BadRequest, DemoError

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
PAGE: Final = {("/", "GET"), ("/", "HEAD")}


def add_exception_handlers(app: FastAPI) -> None:
    """For errors of every kind, also Starlette's and FastAPI's own, in `app` and in what is mounted on it."""
    for each in (app, *_list_mounted(app)):
        for kind in (DemoError, RequestValidationError, HTTPException):
            each.add_exception_handler(kind, _handle)


def refuse_other_methods(app: FastAPI, routes: Mapping[str, set[str]]) -> None:
    """A path of the API, with its methods in `routes`, never falls through to the page, except `PAGE`."""
    for path, methods in routes.items():
        others = [method for method in METHODS if method not in methods and (path, method) not in PAGE]
        allowed = methods | {"HEAD"} if "GET" in methods else methods  # HeadMiddleware answers it
        app.add_api_route(path, _make_refusal(sorted(allowed)), methods=others, include_in_schema=False)
    app.add_api_route("/v1/{path:path}", _refuse_path, methods=list(METHODS), include_in_schema=False)


def _make_refusal(allowed: Sequence[str]) -> Any:
    async def refuse(request: Request) -> Response:
        sentence = f"{request.method} is not possible here: use {' or '.join(allowed)}."
        response = _respond(request, Refused("method_not_allowed", sentence))
        response.headers["Allow"] = ", ".join(allowed)
        return response

    return refuse


async def _refuse_path(request: Request) -> Response:
    return _respond(request, Refused("not_found", f"There is no {find_route_path(request.scope)}: see /docs."))


def _respond(request: Request, error: DemoError) -> Response:
    return respond(find_route_path(request.scope), error)


async def _handle(request: Request, error: Exception) -> Response:
    if isinstance(error, DemoError):
        return _respond(request, error)
    if isinstance(error, RequestValidationError):
        return _respond(request, BadRequest(explain_invalid(error.errors(), error.body)))
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return await _refuse_path(request)
    if isinstance(error.__cause__, DemoError):  # FastAPI's, around what a middleware said while the body was read
        return _respond(request, error.__cause__)
    if error.status_code == 400:
        return _respond(request, BadRequest("the body is not JSON in UTF-8: send a JSON object."))
    kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    response = _respond(request, Refused("too_large" if error.status_code == 413 else kind, str(error.detail)))
    response.status_code = error.status_code
    response.headers.update(error.headers or {})
    return response


def _list_mounted(app: FastAPI) -> list[FastAPI]:
    found: list[FastAPI] = []
    for route in app.routes:
        if isinstance(route, Mount) and isinstance(route.app, FastAPI):
            found += [route.app, *_list_mounted(route.app)]
    return found
