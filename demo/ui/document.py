"""The page's HTML document, compressed, with links that preload what it needs; and how long its files are cached."""

from pathlib import Path
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo.ui.files import ASSETS
from demo.ui.gradio_tuning import list_built

PRELOADED: Final = ASSETS / "preloaded.txt"  # written by: python -m tests.browser.preloaded
YEAR: Final = "public, max-age=31536000, immutable"


class DocumentMiddleware:
    """Compresses the document at `/`, and lets browsers keep Gradio's files, whose names change with their contents."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._compressed = GZipMiddleware(app, compresslevel=6)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].removeprefix(scope.get("root_path", "")) if scope["type"] == "http" else ""

        async def send_cached(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                MutableHeaders(scope=message)["Cache-Control"] = YEAR
            await send(message)

        app = self._compressed if path == "/" else self._app
        await app(scope, receive, send_cached if path.startswith("/assets/") else send)


def write_links() -> list[str]:
    """The page's icon, and a link to each of Gradio's files that is to be preloaded."""
    built = {path.name for path in list_built("*")}
    names = [name for name in PRELOADED.read_text("utf-8").split() if name in built]
    return ['<link rel="icon" href="favicon.ico" />', *map(write_link, names)]


def write_link(name: str) -> str:
    """The link that preloads a script or a style sheet."""
    if Path(name).suffix == ".js":
        return f'<link rel="modulepreload" crossorigin href="./assets/{name}" />'
    return f'<link rel="preload" as="style" crossorigin href="./assets/{name}" />'
