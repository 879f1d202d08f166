"""The headers of a reply that a client reads, and a browser's script of another origin too (Fetch, 3.2.5)."""

from typing import Final

from demo.api.openapi.documents import TIMING_HEADERS

EXPOSED_HEADERS: Final = (
    *TIMING_HEADERS,
    "X-Request-Id",
    "Retry-After",
    "Retry-After-Ms",
    "X-Ignored-Parameters",
    "Location",
    "Allow",
    "WWW-Authenticate",
    "Accept-Encoding",
)
