"""The absolute form of a request target (RFC 9112, 3.2.2): `GET http://host/path`, as clients send it to proxies."""

from urllib.parse import unquote

from starlette.types import Scope

SCHEMES = (b"http://", b"https://")


def replace_absolute_form(scope: Scope) -> None:
    """Put the path and the host of an absolute target in place: it counts, and the Host header does not."""
    target: bytes = scope["raw_path"]
    if not target.lower().startswith(SCHEMES):
        return
    host, slash, path = target.partition(b"://")[2].partition(b"/")
    scope["raw_path"] = slash + path or b"/"
    scope["path"] = unquote(scope["raw_path"].decode("ascii"))
    scope["headers"][:] = [(b"host", host), *(header for header in scope["headers"] if header[0] != b"host")]
