"""What the OpenAPI document says of replies: their schemas, examples and statuses. Encodes nothing itself."""

from typing import Any, Final

from pydantic import BaseModel

from demo.api import replies
from demo.api.sse import CONTENT_TYPE

Arguments = dict[str, Any]


WHY: Final = {
    400: "Not HTTP, or not JSON",
    401: "The API key is missing or wrong",
    404: "No such thing",
    408: "The request did not arrive in time",
    413: "The body is too large",
    422: "The request can't be done as asked; the sentence says why",
    424: "The generation broke",
    429: "Overloaded: ask again after `Retry-After` seconds",
    500: "The answer ended before it was done",
    503: "The model is loading, or the server is going down",
}
GENERATING: Final = (401, 413, 422, 424, 429, 500, 503)


def errors(*statuses: int) -> dict[int | str, Arguments]:
    """The documented errors."""
    return {
        status: {"description": WHY[status], "model": replies.NativeError | replies.OpenAIError} for status in statuses
    }


def whole(model: Any) -> Arguments:
    """A route that replies with all of the answer."""
    return _document({200: {"model": model, "description": "The whole answer", "headers": TIMING_HEADERS}})


def stream(event: Any) -> Arguments:
    """A route that streams."""
    return _document({200: {"description": "One event for each token", "content": {CONTENT_TYPE: _stream_of(event)}}})


def either(model: Any, event: Any) -> Arguments:
    """A route that does one or the other, as `stream` says."""
    content = {CONTENT_TYPE: _stream_of(event)}
    described = "The whole answer, or with `stream` one event for each token"
    return _document({200: {"model": model, "description": described, "headers": TIMING_HEADERS, "content": content}})


def reply(model: Any, *statuses: int) -> Arguments:
    """A route that replies with a value."""
    return {"response_model": model, "responses": errors(*statuses)}


def nothing(*statuses: int) -> Arguments:
    """A route that replies with no body."""
    return {"response_model": None, "responses": errors(*statuses)}


def job(success: int, *statuses: int) -> Arguments:
    """A route that replies with a job."""
    headers = {"Retry-After": {"description": "Seconds, while it goes on", "schema": {"type": "string"}}}
    if success == 202:
        headers["Location"] = {"description": "Where to fetch it", "schema": {"type": "string"}}
    replied = {"model": replies.JobState, "description": "The job", "headers": headers}
    return {"response_model": None, "responses": {success: replied, **errors(*statuses)}}


def text(description: str) -> Arguments:
    """A route that replies with plain text."""
    content = {"text/plain": {"schema": {"type": "string"}}}
    return {"response_model": None, "responses": {200: {"description": description, "content": content}}}


def _document(success: dict[int | str, Arguments]) -> Arguments:
    return {"response_model": None, "responses": {**success, **errors(*GENERATING)}}


def _stream_of(event: type[BaseModel]) -> Arguments:
    return {"schema": event.model_json_schema(), "x-event-schema": event.__name__}


TIMING_HEADERS: Final = {
    name: {"description": text, "schema": {"type": "string"}}
    for name, text in {
        "x-compute-type": "The device",
        "x-compute-time": "Inference, in seconds",
        "x-compute-characters": "Characters of the generated text",
        "x-total-time": "From the request to the last token, in milliseconds",
        "x-validation-time": "Until the request was admitted, in milliseconds",
        "x-queue-time": "Until its prompt was read, in milliseconds",
        "x-inference-time": "From there to the last token, in milliseconds",
        "x-time-per-token": "Inference time over the tokens, in milliseconds",
        "x-time-to-first-token": "From the request to its first text, in milliseconds",
        "x-prompt-tokens": "Tokens of the prompt",
        "x-generated-tokens": "Tokens generated",
        "Server-Timing": "queue, prefill, decode and total, in milliseconds",
    }.items()
}
