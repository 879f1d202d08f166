"""What the page loads: scripts of the race, the answers and the lesson, plotly's own, and the API's programs."""

from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse
from starlette.routing import Mount, Route, Router
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from demo.snippets import read_snippets

ASSETS: Final = Path(__file__).resolve().parents[2] / "assets"
PLACE: Final = "/lesson"
SCRIPTS: Final = ("page", "answer", "vendor")  # folders of assets, each served at its own name
LESSON: Final = ASSETS / "lesson"
DAY: Final = {"Cache-Control": "public, max-age=86400"}


def build_files() -> ASGIApp:
    """What is served at `PLACE`."""
    routes = [Route("/plotly.min.js", _send_plotly), Route("/snippets.json", _send_snippets)]
    return GZipMiddleware(Router([*routes, Mount("", StaticFiles(directory=LESSON))]))


def mount_files(app: FastAPI) -> None:
    """Serve the scripts of the page and of the lesson."""
    app.mount(PLACE, build_files())
    for name in SCRIPTS:
        app.mount(f"/{name}", GZipMiddleware(StaticFiles(directory=ASSETS / name)))


def write_preloads() -> str:
    """Links that have a browser fetch all modules of the page at once; the one that stands in the head is left out."""
    paths = [path for folder in SCRIPTS for path in sorted((ASSETS / folder).glob("*.js")) if path.name != "watch.js"]
    return "".join(f'<link rel="modulepreload" href="{path.relative_to(ASSETS).as_posix()}">' for path in paths)


def _send_plotly(request: Request) -> FileResponse:
    return FileResponse(str(files("plotly") / "package_data" / "plotly.min.js"), headers=DAY)


def _send_snippets(request: Request) -> JSONResponse:
    return JSONResponse([asdict(snippet) for snippet in read_snippets()])
