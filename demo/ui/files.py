"""What is served of ours: scripts, style sheets and data, under one address that changes with their contents.

And how this works, to be read without a network: `demo/README.md` as a page, and the files that it links to as text.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, Router
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from demo.snippets import read_snippets
from demo.ui.teaching import read_material
from demo.ui.view.words import CONSTANTS

ROOT: Final = Path(__file__).resolve().parents[2]
ASSETS: Final = ROOT / "assets"
LESSON: Final = ASSETS / "lesson"
TEXTS: Final = ASSETS / "texts"  # a file for each language but English
HOW_IT_WORKS: Final = "/how-it-works"
SOURCES: Final = ("demo/**/*.py", "demo/**/*.md", "assets/*/*.js", "tests/*/README.md", "*.md")  # that it links to
FOLDERS: Final = ("page", "answer", "vendor", "lesson", "room")
STYLES: Final = ("constants.css", "page/page.css", "answer/answer.css", "lesson/lesson.css")
COLOURS: Final = "".join(f"--{name}: {colour}; " for name, colour in CONSTANTS["colours"].items())


def write_module(value: object) -> tuple[str, str]:
    """A value as a script, since not every browser can import JSON; and the script's media type."""
    return f"export default {json.dumps(value)};\n", "text/javascript"


# Text and media type.
GENERATED: Final = {
    "constants.js": write_module(CONSTANTS),
    **{f"texts/{path.stem}.js": write_module(json.loads(path.read_text("utf-8"))) for path in TEXTS.glob("*.json")},
    **{f"teach/{language}.js": write_module(read_material(language)) for language in CONSTANTS["languages"]},
    "constants.css": (f":root {{ {COLOURS}}}\n", "text/css"),
    "snippets.json": (json.dumps([asdict(snippet) for snippet in read_snippets()]), "application/json"),
}
CHUNK: Final = 1 << 16  # characters: compressing all of plotly at once would hold up the event loop


def hash_files() -> str:
    """A hash of the names and contents of all that is served."""
    digest = sha256(repr((GENERATED, version("plotly"))).encode())
    for path in sorted(path for folder in FOLDERS for path in (ASSETS / folder).rglob("*") if path.is_file()):
        digest.update(repr((path.relative_to(ASSETS).as_posix(), path.read_bytes())).encode())
    return digest.hexdigest()[:16]


# One folder for all files: what a script imports by a relative address is of the script's own version.
PLACE: Final = f"/assets-{hash_files()}"


def build_files() -> ASGIApp:
    """What is served at `PLACE`."""
    routes = [Route(f"/{name}", _send(*content)) for name, content in GENERATED.items()]
    folders = [Mount(f"/{name}", StaticFiles(directory=ASSETS / name)) for name in FOLDERS]
    return GZipMiddleware(Router([*routes, Route("/plotly.min.js", _send_plotly), *folders]))


def mount_files(app: FastAPI) -> None:
    """Serve them, and `demo/README.md` at `HOW_IT_WORKS/demo/`, so that its links lead to the files beside it."""
    app.mount(PLACE, build_files())
    app.mount(HOW_IT_WORKS, build_how_it_works())


def build_how_it_works() -> ASGIApp:
    """What is served at `HOW_IT_WORKS`."""
    sources = {path.relative_to(ROOT).as_posix(): path for kind in SOURCES for path in ROOT.glob(kind)}
    (marked,) = (ASSETS / "vendor").glob("marked-*.js")
    own = {
        "demo/": ASSETS / "how-it-works" / "index.html",
        "show.js": ASSETS / "how-it-works" / "show.js",
        "style.css": ASSETS / "how-it-works" / "style.css",
        "marked.js": marked,
    }

    async def send(request: Request) -> Response:
        name = request.path_params["name"]
        if name in own:
            return FileResponse(own[name])
        path = sources.get(name)
        return FileResponse(path, media_type="text/plain") if path else PlainTextResponse("Not Found", 404)

    return GZipMiddleware(Router([Route("/{name:path}", send)]))


def write_styles() -> str:
    """The tags that load the style sheets, for Gradio's client to add after its own, which ours amend."""
    return "".join(f'<link rel="stylesheet" href=".{PLACE}/{name}">' for name in STYLES)


def write_tags() -> str:
    """The tags that load the modules of the page, all at once, and fetch its style sheets.

    Module scripts run in the order of their tags: ours, which watches the connection, before Gradio's client opens it.
    """
    modules = [f"{name}/{path.name}" for name in FOLDERS[:3] for path in sorted((ASSETS / name).glob("*.js"))]
    tags = [
        f'<script type="module" src=".{PLACE}/page/main.js"></script>',
        *(f'<link rel="modulepreload" href=".{PLACE}/{name}">' for name in ("constants.js", *modules)),
        *(f'<link rel="preload" as="style" href=".{PLACE}/{name}">' for name in STYLES),
    ]
    return "".join(tags)


def _send(text: str, media_type: str) -> Callable[[Request], Response]:
    return lambda request: Response(text, media_type=media_type)


def _send_plotly(request: Request) -> StreamingResponse:
    from plotly.offline import get_plotlyjs  # takes 60 MB, which a page without charts does without

    text = get_plotlyjs()
    pieces = (text[start : start + CHUNK] for start in range(0, len(text), CHUNK))
    return StreamingResponse(pieces, media_type="text/javascript")
