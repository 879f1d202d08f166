"""The API key of a request's Authorization header (RFC 6750). Knows no key."""

from starlette.datastructures import Headers
from starlette.types import Scope


def read_bearer(scope: Scope) -> str:
    """The key; empty where there is none. A scheme counts in any case, with any spaces after it (RFC 9110, 11.1)."""
    scheme, _, key = Headers(scope=scope).get("authorization", "").strip().partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""
