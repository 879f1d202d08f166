"""The page's HTML document: Gradio's own, sent packed, with what it will need named at its beginning."""

from pathlib import Path
from typing import Final

from gradio.route_utils import BUILD_PATH_LIB, STATIC_TEMPLATE_LIB
from gradio.routes import templates
from jinja2 import ChoiceLoader, DictLoader, FileSystemLoader
from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo.ui.files import ASSETS

GRADIOS: Final = FileSystemLoader(STATIC_TEMPLATE_LIB)
TEMPLATE: Final = "frontend/index.html"
MANIFEST: Final = '<link rel="manifest" href="/manifest.json" />'  # which there is none of
PRELOADED: Final = ASSETS / "preloaded.txt"  # written by: python -m tests.browser.preloaded
YEAR: Final = "public, max-age=31536000, immutable"


class Document:
    """Packs the document at `/`; and as the names of Gradio's files change with their contents, they may be kept."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._packed = GZipMiddleware(app, compresslevel=6)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].removeprefix(scope.get("root_path", "")) if scope["type"] == "http" else ""

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                MutableHeaders(scope=message)["Cache-Control"] = YEAR
            await send(message)

        app = self._packed if path == "/" else self._app
        await app(scope, receive, keep if path.startswith("/assets/") else send)


def amend_document() -> None:
    """Have Gradio's document load at once what it would find out about one after the other."""
    source, _, _ = GRADIOS.get_source(templates.env, TEMPLATE)
    amended = source.replace(MANIFEST, "\n\t\t".join(write_links()))
    templates.env.loader = ChoiceLoader([DictLoader({TEMPLATE: amended}), GRADIOS])


def write_links() -> list[str]:
    """Its icon, and every file that is there to be preloaded."""
    names = [name for name in PRELOADED.read_text("utf-8").split() if (Path(BUILD_PATH_LIB) / name).is_file()]
    return ['<link rel="icon" href="favicon.ico" />', *map(write_link, names)]


def write_link(name: str) -> str:
    """One preload, by the file's kind."""
    if Path(name).suffix == ".js":
        return f'<link rel="modulepreload" crossorigin href="./assets/{name}" />'
    return f'<link rel="preload" as="style" crossorigin href="./assets/{name}" />'
