"""The files that the page loads when they are first needed: the lesson's scripts, and plotly's own."""

from importlib.resources import files
from pathlib import Path
from typing import Final

from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Mount, Route, Router
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

ASSETS: Final = Path(__file__).resolve().parents[2] / "assets"
PLACE: Final = "/lesson"
LESSON: Final = ASSETS / "lesson"
DAY: Final = {"Cache-Control": "public, max-age=86400"}


def build_files() -> ASGIApp:
    """What is served at `PLACE`."""
    return GZipMiddleware(Router([Route("/plotly.min.js", _send_plotly), Mount("", StaticFiles(directory=LESSON))]))


def _send_plotly(request: Request) -> FileResponse:
    return FileResponse(str(files("plotly") / "package_data" / "plotly.min.js"), headers=DAY)
