"""The API as one application: its routes and middleware. All other paths are the page's."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from typing import Final

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline
from starlette.middleware.cors import CORSMiddleware

from demo import __version__
from demo.access import read_access
from demo.api.jobs.webhook import WebhookSender
from demo.api.middleware.access_log import AccessLogMiddleware
from demo.api.middleware.admission import AdmissionMiddleware
from demo.api.middleware.allowed_hosts import ANY, AllowedHostsMiddleware
from demo.api.middleware.body_limit import BodyLimitMiddleware
from demo.api.middleware.content_coding import ContentCodingMiddleware
from demo.api.middleware.exception_handlers import METHODS, add_exception_handlers, refuse_other_methods
from demo.api.middleware.page_guard import PageGuardMiddleware, build_login_routes
from demo.api.middleware.root_path import RootPathMiddleware
from demo.api.middleware.route_paths import HeadMiddleware, RoutePaths, SlashesMiddleware
from demo.api.middleware.unbuffered import UnbufferedMiddleware
from demo.api.openapi.documents import TIMING_HEADERS, add_schemas
from demo.api.page_sessions import PageSessions
from demo.api.routes.crowds import build_crowd_routes
from demo.api.routes.generation import GENERATING_PATHS, build_generation_routes
from demo.api.routes.inspection import build_inspection_routes, build_reload_routes
from demo.api.routes.jobs import build_job_routes
from demo.api.routes.responses import build_response_routes
from demo.api.routes.simulated_faults import build_simulated_fault_routes
from demo.api.routes.webhook_inbox import build_inbox_routes
from demo.engines.draining import Drain
from demo.engines.metered import MeteredEngine
from demo.settings import Settings

UNLOGGED: Final = {"/", "/health", "/ping", "/metrics"}  # monitors request these all the time; `POST /` is logged
DOCUMENTS: Final = {"/docs": {"GET"}, "/openapi.json": {"GET"}}
KEYED_PATHS: Final = ("/rooms",)  # guarded as generation is, but not by the load: nothing is generated yet
# The headers of a reply that a client reads, and a browser's script of another origin too (Fetch, 3.2.5).
EXPOSED_HEADERS: Final = (
    *TIMING_HEADERS,
    *("X-Request-Id", "Retry-After", "Retry-After-Ms", "X-Ignored-Parameters"),
    *("Location", "Allow", "WWW-Authenticate", "Accept-Encoding"),
)
LOCAL_URL: Final = "http://127.0.0.1:7860"


def create_api(
    engine: MeteredEngine,
    settings: Settings,
    page: FastAPI | None = None,
    url: str = LOCAL_URL,
    hosts: Sequence[str] = ANY,
    reload: Callable[[], bool] | None = None,
    drain: Drain | None = None,
    rooms: APIRouter | None = None,
) -> FastAPI:
    """The API of `engine`, served at `url` under the names `hosts`, with `page` mounted on all other paths.

    `rooms` are the routes of rooms, which are opened on the page: None where there is none.
    `reload` begins the next attempt to load a model that has failed; None where the server ends instead.
    """
    sessions = PageSessions(read_access(settings), has_page=page is not None)

    @asynccontextmanager
    async def run_page(app: FastAPI) -> AsyncIterator[None]:
        async with page.router.lifespan_context(page) if page is not None else nullcontext():
            yield

    app = FastAPIOffline(
        title="Token streaming",
        version=__version__,
        summary="One language model; answers streamed and whole; the clients of text-generation-inference and OpenAI.",
        lifespan=run_page,
        redoc_url=None,
    )
    routers = [
        build_generation_routes(engine),
        build_job_routes(engine, WebhookSender(url, settings.webhook_allow)),
        build_inbox_routes(),
        build_inspection_routes(engine, getattr(page.state, "tabs", None) if page is not None else None, drain),
        build_simulated_fault_routes(),
        build_crowd_routes(engine, url),
        build_reload_routes(reload or (lambda: False), sessions),
        build_response_routes(engine),
        *([] if rooms is None else [rooms]),
        *([build_login_routes(sessions)] if sessions.ask_password else []),
    ]
    for router in routers:
        app.include_router(router)
    routes = list_routes(routers)
    refuse_other_methods(app, routes)
    if page is not None:
        page.add_middleware(PageGuardMiddleware, sessions=sessions)
        app.mount("", page)
    add_exception_handlers(app)
    write_document = app.openapi
    app.openapi = lambda: add_schemas(write_document())  # type: ignore[method-assign] # FastAPI's own way
    _add_middleware(app, engine, settings, routes, sessions, hosts)
    return app


def list_routes(routers: Sequence[APIRouter]) -> dict[str, set[str]]:
    routes: dict[str, set[str]] = {}
    for route in (route for router in routers for route in router.routes):
        assert isinstance(route, APIRoute)
        routes.setdefault(route.path, set()).update(route.methods or ())
    return routes


def _add_middleware(
    app: FastAPI,
    engine: MeteredEngine,
    settings: Settings,
    routes: Mapping[str, set[str]],
    sessions: PageSessions,
    hosts: Sequence[str],
) -> None:
    # The last one added runs first.
    app.add_middleware(AdmissionMiddleware, engine=engine, paths=GENERATING_PATHS, keyed=KEYED_PATHS, sessions=sessions)
    app.add_middleware(BodyLimitMiddleware)
    app.add_middleware(ContentCodingMiddleware)
    if settings.cors_allow_origin:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_allow_origin,
            allow_methods=METHODS,
            allow_headers=["*"],  # a browser's client sends its own, OpenAI's for one: an allowed origin may
            allow_private_network=True,
            expose_headers=EXPOSED_HEADERS,
        )
    roots = {"/" + path.split("/")[1] for path in routes}
    paths = RoutePaths({**routes, **DOCUMENTS})
    app.add_middleware(HeadMiddleware, paths=paths)
    app.add_middleware(AllowedHostsMiddleware, hosts=hosts, paths=sorted(roots))
    app.add_middleware(AccessLogMiddleware, paths=sorted(roots - UNLOGGED), with_prompts=settings.log_prompts)
    app.add_middleware(UnbufferedMiddleware)
    app.add_middleware(SlashesMiddleware, paths=paths)
    app.add_middleware(RootPathMiddleware, root_path=settings.root_path)
