"""The page's HTML document: what it loads at once, what it may load at all, and how long its files are cached."""

import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo.ui.files import ASSETS, HOW_IT_WORKS, PLACE, write_tags
from demo.ui.gradio_tuning import list_built

PRELOADED: Final = ASSETS / "preloaded.txt"  # written by: python -m tests.browser.preloaded
YEAR: Final = "public, max-age=31536000, immutable"
MANIFEST: Final = b'<link rel="manifest" href="/manifest.json" />'  # Gradio serves no such file here
INLINE: Final = re.compile(rb"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", re.DOTALL)
# For what is ours alone. Any page may embed the demo in a frame.
STRICT: Final = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors *"
# Gradio evaluates its components' scripts as text, styles elements inline, and has icons as data. Its inline scripts
# are allowed by their hashes. On a Space it would load a header from another host, which is not shown.
RELAXED: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-eval' {hashes}; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors *"
)


class DocumentMiddleware:
    """Sends the document at `/` compressed, with our tags and a policy; browsers keep files whose names have a hash."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._document = GZipMiddleware(amend(app), compresslevel=6)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].removeprefix(scope.get("root_path", "")) if scope["type"] == "http" else ""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if message["status"] == 200 and path.startswith(("/assets/", f"{PLACE}/")):
                    headers["Cache-Control"] = YEAR
                if path.startswith((PLACE, HOW_IT_WORKS)):
                    headers["Content-Security-Policy"] = STRICT
            await send(message)

        if path == "/" and scope["method"] == "GET":
            await self._document(scope, receive, send)
        else:
            await self._app(scope, receive, send_with_headers)


def amend(app: ASGIApp) -> ASGIApp:
    """The same app, whose HTML has our tags before its first script, no manifest, and a policy."""
    tags = (write_tags() + write_links()).encode()

    async def send_amended(scope: Scope, receive: Receive, send: Send) -> None:
        start: Message = {}
        parts: list[bytes] = []

        async def collect(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            parts.append(message.get("body", b""))
            if message.get("more_body"):
                return
            body, headers = b"".join(parts), MutableHeaders(scope=start)
            if headers.get("Content-Type", "").startswith("text/html"):
                body = body.replace(MANIFEST, b"").replace(b"<script", tags + b"<script", 1)
                headers["Content-Length"] = str(len(body))
                headers["Content-Security-Policy"] = write_policy(body)
            await send(start)
            await send({"type": "http.response.body", "body": body})

        await app(scope, receive, collect)

    return send_amended


def write_policy(document: bytes) -> str:
    hashes = [b64encode(sha256(script).digest()).decode() for script in INLINE.findall(document)]
    return RELAXED.format(hashes=" ".join(f"'sha256-{each}'" for each in dict.fromkeys(hashes)))


def write_links() -> str:
    """The page's icon, and a link to each of Gradio's files that is to be preloaded."""
    built = {path.name for path in list_built("*")}
    names = [name for name in PRELOADED.read_text("utf-8").split() if name in built]
    return "".join(['<link rel="icon" href="favicon.ico" />', *map(write_link, names)])


def write_link(name: str) -> str:
    if Path(name).suffix == ".js":
        return f'<link rel="modulepreload" crossorigin href="./assets/{name}" />'
    return f'<link rel="preload" as="style" crossorigin href="./assets/{name}" />'
