"""How this works, to be read without a network: `demo/README.md` as a page, and the files that it links to as text."""

from typing import Final

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from demo.ui.files import ASSETS

PLACE: Final = "/how-it-works"
PAGE: Final = ASSETS / "how-it-works"
ROOT: Final = ASSETS.parent
SOURCES: Final = ("demo/**/*.py", "demo/**/*.md", "assets/*/*.js", "tests/*/README.md", "*.md")


def mount_how_it_works(app: FastAPI) -> None:
    """Serve the page at `PLACE/demo/`, so that the links of `demo/README.md` lead to the files beside it."""
    app.mount(PLACE, build_how_it_works())


def build_how_it_works() -> ASGIApp:
    """What is served at `PLACE`."""
    sources = {path.relative_to(ROOT).as_posix(): path for kind in SOURCES for path in ROOT.glob(kind)}
    (marked,) = (ASSETS / "vendor").glob("marked-*.js")
    own = {
        "demo/": PAGE / "index.html",
        "show.js": PAGE / "show.js",
        "style.css": PAGE / "style.css",
        "marked.js": marked,
    }

    async def send(request: Request) -> Response:
        name = request.path_params["name"]
        if name in own:
            return FileResponse(own[name])
        path = sources.get(name)
        return FileResponse(path, media_type="text/plain") if path else PlainTextResponse("Not Found", 404)

    return GZipMiddleware(Router([Route("/{name:path}", send)]))
