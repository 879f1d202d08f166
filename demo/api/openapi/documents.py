"""What the OpenAPI document says about replies: schemas, examples, statuses and headers. Encodes no reply."""

from collections.abc import Sequence
from typing import Any, Final, get_args

from fastapi import Security
from fastapi.security import HTTPBearer
from pydantic import TypeAdapter
from starlette.responses import JSONResponse, Response

from demo.api.openapi import replies, reports, response_replies, room_replies
from demo.api.openapi.examples import EXAMPLES
from demo.api.statuses import STATUSES

ERRORS: Final = {
    400: "Prompt and answer have more tokens than the model takes",
    401: "The API key is missing or wrong",
    403: "This is not for this client",
    404: "There is no such thing",
    409: "There is nothing to do now",
    413: "The body is too large",
    422: "The request can't be done as asked; the sentence says why",
    424: "The generation failed",
    429: "Overloaded: try again after `Retry-After` seconds",
    500: "The answer was cut off",
    503: "The model is loading, or the server is shutting down",
}
SUCCESSES: Final = {200: "As asked", 201: "It has been made", 202: "It has begun"}
CONTENT_TYPE: Final = "text/event-stream"
REFERENCE: Final = "#/components/schemas/{model}"
MODELS: Final[Sequence[Any]] = (
    *(replies.NativeError, replies.OpenAIError, replies.Generated, replies.Chat, replies.Completion),
    *(replies.NativeEvent, replies.ChatChunk, replies.CompletionChunk),
    *(response_replies.ResponseObject, response_replies.ResponseEvent, response_replies.DeletedResponse),
    *(response_replies.InputItems, reports.JobState, reports.Report, reports.Inbox, reports.CrowdEvent),
    *(reports.Health, reports.Info, reports.Models, reports.ModelEntry, reports.Reload),
    *(reports.TextToken, reports.TokenizedChat),
    *(room_replies.RoomOpened, room_replies.RoundState, room_replies.RoomResults, room_replies.PhoneJoined),
    room_replies.RoomEvent,
)
GENERATING: Final = (401, 413, 422, 424, 429, 500, 503)
# AdmissionMiddleware checks the key before the body is read; here it is only documented.
KEY: Final = Security(HTTPBearer(auto_error=False, description="Where the operator set --api-key."))
IGNORED: Final = "The fields of the body that are not known here, and had no effect"
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


def whole(model: Any) -> dict[str, Any]:
    """A route that replies with the whole answer."""
    return _route(_success(model, "The whole answer", TIMING_HEADERS), GENERATING)


def stream(event: Any) -> dict[str, Any]:
    """A route that streams."""
    return _resumable(_route(_events(event, "One event for each token"), GENERATING))


def either(model: Any, event: Any, *statuses: int) -> dict[str, Any]:
    """A route that streams where `stream` is true, and else replies with the whole answer."""
    return _resumable(_either(model, event, *statuses))


def response() -> dict[str, Any]:
    """A route in OpenAI's newer dialect, for an answer that may continue an earlier one."""
    return _either(response_replies.ResponseObject, response_replies.ResponseEvent, 400, 404)


def _either(model: Any, event: Any, *statuses: int) -> dict[str, Any]:
    success = _success(model, "The whole answer, or with `stream` one event for each token", TIMING_HEADERS)
    success["content"] |= _events(event, "")["content"]
    return _route(success, (*GENERATING, *statuses))


def _resumable(route: dict[str, Any]) -> dict[str, Any]:
    """The route, whose stream can be resumed where it was cut off."""
    route["responses"] |= _errors((404,))
    route["responses"][204] = {"description": "`Last-Event-ID` was the last event"}
    return route


def scripted(event: Any) -> dict[str, Any]:
    """A route that streams a script, not the model."""
    return _route(_events(event, "One event for each token; a comment, or an error"), (422, 429))


def resumed_stream() -> dict[str, Any]:
    """A job's stream, which can be resumed where it was cut off."""
    events = _events(replies.NativeEvent, "One event for each token, with its number as `id`")
    return _resumable(_route(events, (422, 424, 500)))


def found_response() -> dict[str, Any]:
    """A stored response, or its events."""
    success = _success(response_replies.ResponseObject, "The response, or with `stream` its events")
    success["content"] |= _events(response_replies.ResponseEvent, "")["content"]
    return _route(success, (404, 422))


def crowd(event: Any) -> dict[str, Any]:
    """A route that streams what happens to a crowd of clients."""
    success = _events(event, "One event for each thing that happens to a client")
    return _route(success, (401, 413, 422, 429, 503))


def reply(model: Any, *statuses: int, success: int = 200) -> dict[str, Any]:
    """A route that replies with a value, which its handler returns."""
    # Without a `response_model`: the type checker holds the value to its shape, and a validator slows the start.
    route = _route(_success(model, SUCCESSES[success]), statuses, success)
    return route | {"response_class": JSONResponse}


def accepted(model: Any, *statuses: int) -> dict[str, Any]:
    """A route that replies at once to what it has begun."""
    return reply(model, *statuses, success=202)


def created(model: Any, *statuses: int) -> dict[str, Any]:
    """A route that replies with what it has made."""
    return reply(model, *statuses, success=201)


def room_events(*statuses: int) -> dict[str, Any]:
    """A room's events, which can be resumed where they were cut off."""
    return _route(_events(room_replies.RoomEvent, "Named events, each with a number as `id`"), statuses)


def phone_stream() -> dict[str, Any]:
    """A phone's own answer."""
    return _route(_events(replies.NativeEvent, "One event for each token"), (404, 409, 413, 422, 424, 429, 500, 503))


def job(status: int, *statuses: int) -> dict[str, Any]:
    """A route that replies with a job."""
    headers = {"Retry-After": "Seconds, until the job has ended"}
    if status == 202:
        headers["Location"] = "The address of the job"
    return _route(_success(reports.JobState, "The job", headers), statuses, status)


def nothing(*statuses: int) -> dict[str, Any]:
    """A route that replies with no body."""
    return {"response_model": None, "responses": _errors(statuses)}


def text(description: str, *statuses: int, media: str = "text/plain") -> dict[str, Any]:
    """A route that replies with text."""
    content = {media: {"schema": {"type": "string"}, "example": description}}
    success = {200: {"description": description, "content": content}}
    return {"response_model": None, "response_class": Response, "responses": success | _errors(statuses)}


def add_schemas(document: dict[str, Any]) -> dict[str, Any]:
    """With the schemas that replies refer to. FastAPI would build those of errors a hundred times, at each start."""
    inputs: Any = [(model.__name__, "serialization", TypeAdapter(model)) for model in MODELS]
    _, schemas = TypeAdapter.json_schemas(inputs, ref_template=REFERENCE)
    document["components"]["schemas"] |= schemas["$defs"]
    return document


def _route(success: Any, errors: Sequence[int], status: int = 200) -> dict[str, Any]:
    """A route for who has the key, where 401 is one of its errors."""
    if 413 in errors:  # the route reads a body
        header = {"description": IGNORED, "schema": {"type": "string"}}
        success.setdefault("headers", {})[replies.IGNORED_PARAMETERS] = header
    responses, dependencies = {status: success, **_errors(errors)}, [KEY] if 401 in errors else []
    # Given no class, FastAPI would document a reply in JSON beside a stream.
    return {"response_model": None, "responses": responses, "dependencies": dependencies, "response_class": Response}


def _success(model: Any, description: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    described = {name: {"description": text, "schema": {"type": "string"}} for name, text in (headers or {}).items()}
    example = [EXAMPLES[each.__name__] for each in get_args(model)] or EXAMPLES[model.__name__]
    content = {"application/json": {"schema": _refer(model), "example": example}}
    return {"description": description, "headers": described, "content": content}


def _events(event: Any, description: str) -> dict[str, Any]:
    content = {CONTENT_TYPE: {"schema": _refer(event), "example": EXAMPLES[event.__name__]}}
    return {"description": description, "content": content}


def _refer(model: Any) -> dict[str, Any]:
    """The schema of `model`, or of a list of one, by its name."""
    for each in get_args(model):
        return {"type": "array", "items": _refer(each)}
    return {"$ref": REFERENCE.format(model=model.__name__)}


def _errors(statuses: Sequence[int]) -> dict[int | str, Any]:
    schema = {"anyOf": [_refer(replies.NativeError), _refer(replies.OpenAIError)]}
    kinds = {400: "validation"} | {status: kind for kind, status in reversed(STATUSES.items())}
    errors: dict[int | str, Any] = {}
    for status in statuses:
        content = {"schema": schema, "example": {"error": ERRORS[status], "error_type": kinds[status]}}
        errors[status] = {"description": ERRORS[status], "content": {"application/json": content}}
    return errors
