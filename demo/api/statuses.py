"""The HTTP status of each kind of error that precedes the first byte of a reply."""

from typing import Final

STATUSES: Final = {
    "validation": 422,
    "template_error": 422,
    "overloaded": 429,
    "too_many_guesses": 429,
    "generation": 424,
    "incomplete_generation": 500,
    "healthcheck": 503,
    "authentication": 401,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "timeout": 408,
    "conflict": 409,
    "too_large": 413,
    "unsupported_media_type": 415,
    "misdirected_request": 421,
}
