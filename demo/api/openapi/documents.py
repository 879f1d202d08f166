"""What the OpenAPI document says of replies: schemas, examples, statuses and headers. Encodes nothing itself."""

from typing import Any, Final, get_args

from fastapi import Security
from fastapi.security import HTTPBearer
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.responses import PlainTextResponse, Response

from demo.api.dialects.errors import STATUSES, Json
from demo.api.dialects.sse import CONTENT_TYPE
from demo.api.openapi import replies, reports
from demo.api.openapi.examples import EXAMPLES

ERRORS: Final = {
    401: "The API key is missing or wrong",
    404: "There is no such thing",
    413: "The body is too large",
    422: "The request can't be done as asked; the sentence says why",
    424: "The generation broke",
    429: "Overloaded: ask again after `Retry-After` seconds",
    500: "The answer ended before it was done",
    503: "The model is loading, or the server is going down",
}
PLACE: Final = "#/components/schemas/{model}"
GENERATING: Final = (401, 413, 422, 424, 429, 500, 503)
# The key is checked before the body is read, by Gate; here it is only named.
KEY: Final = Security(HTTPBearer(auto_error=False, description="Where the operator set --api-key."))
TIMING_HEADERS: Final = {
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
}


def whole(model: Any) -> Json:
    """A route that replies with all of the answer."""
    return _generate(_success(model, "The whole answer", TIMING_HEADERS))


def stream(event: type[BaseModel]) -> Json:
    """A route that streams."""
    success = {"description": "One event for each token", "content": _stream_of(event)}
    # Without a class of its own FastAPI would document a reply in JSON beside the stream.
    return {**_generate(success), "response_class": Response}


def scripted(event: type[BaseModel]) -> Json:
    """A route that streams what a script says, not the model."""
    success = {"description": "One event for each token; a comment, or an error", "content": _stream_of(event)}
    responses = {200: success, **_errors(422, 429)}
    return {"response_model": None, "responses": responses, "response_class": Response}


def resumed_stream() -> Json:
    """A job's stream, which can be followed again where it was cut off."""
    numbered = {CONTENT_TYPE: _stream_of(replies.NativeEvent)[CONTENT_TYPE]}
    responses = {
        200: {"description": "One event for each token, with its number as `id`", "content": numbered},
        204: {"description": "`Last-Event-ID` was the last: there is no more to come"},
        **_errors(404, 422, 424, 500),
    }
    return {"response_model": None, "response_class": Response, "responses": responses}


def crowd(event: type[BaseModel]) -> Json:
    """A route that has a crowd ask, and tells of it."""
    success = {"description": "One event for each thing that happens to a client", "content": _stream_of(event)}
    responses = {200: success, **_errors(401, 413, 422, 429, 503)}
    return {"response_model": None, "response_class": Response, "responses": responses, "dependencies": [KEY]}


def either(model: Any, event: type[BaseModel]) -> Json:
    """A route that does one or the other, as `stream` says."""
    success = _success(model, "The whole answer, or with `stream` one event for each token", TIMING_HEADERS)
    return _generate({**success, "content": {**success["content"], **_stream_of(event)}})


def reply(model: Any, *statuses: int) -> Json:
    """A route that replies with a value."""
    return {"response_model": model, "responses": {200: _success(model, "As asked", {}), **_errors(*statuses)}}


def job(status: int, *statuses: int) -> Json:
    """A route that replies with a job."""
    headers = {"Retry-After": "Seconds, while it goes on"}
    if status == 202:
        headers["Location"] = "Where to fetch it"
    success = _success(reports.JobState, "The job", headers)
    dependencies = [KEY] if 401 in statuses else []
    return {"response_model": None, "responses": {status: success, **_errors(*statuses)}, "dependencies": dependencies}


def nothing(*statuses: int) -> Json:
    """A route that replies with no body."""
    return {"response_model": None, "responses": _errors(*statuses)}


def text(description: str) -> Json:
    """A route that replies with plain text."""
    responses = {200: {"description": description}}
    return {"response_model": None, "response_class": PlainTextResponse, "responses": responses}


def _generate(success: Json) -> Json:
    return {"response_model": None, "responses": {200: success, **_errors(*GENERATING)}, "dependencies": [KEY]}


def _success(model: Any, description: str, headers: dict[str, str]) -> Json:
    described = {name: {"description": text, "schema": {"type": "string"}} for name, text in headers.items()}
    content = {"application/json": {"example": _example_of(model)}}
    return {"model": model, "description": description, "headers": described, "content": content}


def _example_of(model: Any) -> Any:
    """A list's example is a list of its items'."""
    return [EXAMPLES[each.__name__] for each in get_args(model)] or EXAMPLES[model.__name__]


def _stream_of(event: type[BaseModel]) -> Json:
    return {CONTENT_TYPE: {"schema": {"$ref": PLACE.format(model=event.__name__)}, "example": EXAMPLES[event.__name__]}}


def add_event_schemas(document: Json) -> None:
    """FastAPI lists the schemas of whole replies only; these are those of one event of each stream."""
    events: list[type[BaseModel]] = [
        replies.NativeEvent,
        replies.ChatChunk,
        replies.CompletionChunk,
        reports.CrowdEvent,
    ]
    _, schemas = models_json_schema([(event, "serialization") for event in events], ref_template=PLACE)
    document["components"]["schemas"] |= schemas["$defs"]


def _errors(*statuses: int) -> dict[int | str, Json]:
    return {
        status: {
            "description": ERRORS[status],
            "model": replies.NativeError | replies.OpenAIError,
            "content": {"application/json": {"example": {"error": ERRORS[status], "error_type": _kind_of(status)}}},
        }
        for status in statuses
    }


def _kind_of(status: int) -> str:
    return next(kind for kind, its in STATUSES.items() if its == status)
