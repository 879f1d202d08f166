"""The routes that generate: each parses its dialect, starts the runs, and passes them to a delivery."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated, Final, TypeAlias

from fastapi import APIRouter, Depends, Header
from starlette.responses import Response

from demo.api.client import Client
from demo.api.delivery.resumable import KEEP_SECONDS, Resumption, StreamStore
from demo.api.delivery.run_response import RunResponse
from demo.api.delivery.whole import WholeResponse
from demo.api.dialects.body import write_ignored
from demo.api.dialects.chat import ChatDialect, ChatRequest
from demo.api.dialects.completions import CompletionDialect, CompletionRequest
from demo.api.dialects.dialect import Dialect
from demo.api.dialects.native import CompatRequest, GenerateRequest, NativeDialect
from demo.api.json_route import JsonRoute
from demo.api.openapi import documents, replies
from demo.engine import Broken, Engine, Loading, ModelCard
from demo.errors import NotReady
from demo.prompt_threads import run_beside
from demo.request import Request
from demo.run import Run

NATIVE_PATHS: Final = ("/", "/generate", "/generate_stream", "/jobs", "/crowds")
RESUMABLE: Final = (
    "Of a stream of one answer: give each event an `id`, and go on without a connection for "
    f"{KEEP_SECONDS:g} s. Until then the same request with `Last-Event-ID` has the rest, or 204 after the last event."
)
GENERATING_PATHS: Final = (*NATIVE_PATHS, "/v1/chat/completions", "/v1/completions", "/v1/responses")


def build_generation_routes(engine: Engine) -> APIRouter:
    """The routes of TGI and OpenAI."""
    router, streams = APIRouter(route_class=JsonRoute, tags=["generate"]), StreamStore()

    async def read_resumption(
        x_resumable: Annotated[bool, Header(description=RESUMABLE)] = False,
        last_event_id: Annotated[str, Header(description="Of such a stream: send what follows this event.")] = "",
    ) -> Resumption:
        return Resumption(streams, x_resumable, last_event_id)

    Resuming: TypeAlias = Annotated[Resumption, Depends(read_resumption)]

    @router.post("/generate", **documents.whole(replies.Generated))
    async def generate(client: Client, body: GenerateRequest) -> Response:
        """Generate, and reply with the whole answer. text-generation-inference's route."""
        return await deliver_native(engine, client, body)

    @router.post("/generate_stream", **documents.stream(replies.NativeEvent))
    async def generate_stream(client: Client, body: GenerateRequest, resumption: Resuming) -> Response:
        """Generate, and send each token when it is generated. text-generation-inference's route."""
        return await deliver_native(engine, client, body, resumption)

    @router.post("/", **documents.either(list[replies.Generated], replies.NativeEvent))
    async def compatible(client: Client, body: CompatRequest, resumption: Resuming) -> Response:
        """`/generate_stream` if `stream` is true; else `/generate`, its reply in an array of one."""
        return await deliver_native(engine, client, body, resumption if body.stream else None, in_array=True)

    @router.post("/v1/chat/completions", **documents.either(replies.Chat, replies.ChatChunk, 400))
    async def chat(client: Client, body: ChatRequest, resumption: Resuming) -> Response:
        """Answer a conversation. OpenAI's route."""
        dialect = ChatDialect(find_card(engine), body, with_logprobs=bool(body.logprobs))
        return await deliver(engine, client, body, body.requests, dialect, resumption if body.stream else None)

    @router.post("/v1/completions", **documents.either(replies.Completion, replies.CompletionChunk, 400))
    async def complete(client: Client, body: CompletionRequest, resumption: Resuming) -> Response:
        """Answer a text, or complete it with `raw`. OpenAI's older route."""
        card, streamed = find_card(engine), resumption if body.stream else None
        dialect = CompletionDialect(card, body, with_logprobs=body.logprobs is not None)
        return await deliver(engine, client, body, lambda: body.requests(card), dialect, streamed)

    return router


async def deliver_native(
    engine: Engine, client: str, body: GenerateRequest, streamed: Resumption | None = None, in_array: bool = False
) -> RunResponse:
    """A reply in TGI's dialect. Raises what `deliver` raises."""
    card = find_card(engine)
    dialect = NativeDialect(body.parameters, card.device, in_array)
    return await deliver(engine, client, body, lambda: body.requests(card, streamed is not None), dialect, streamed)


def find_card(engine: Engine) -> ModelCard:
    """The model's card. Raises NotReady."""
    status = engine.status
    if isinstance(status, Broken):
        seconds_left = (status.retry_at or 0.0) - time.perf_counter()
        raise NotReady(f"the model is not available: {status.error}", max(seconds_left, 1.0))
    if isinstance(status, Loading):
        reason = "" if status.failure is None else f" It is loaded again after an error: {status.failure}"
        raise NotReady(f"the model is still loading: try again in a few seconds.{reason}")
    return status.card


async def deliver(
    engine: Engine,
    client: str,
    body: GenerateRequest | ChatRequest | CompletionRequest,
    read: Callable[[], Sequence[Request]],
    dialect: Dialect,
    streamed: Resumption | None,
) -> RunResponse:
    """`read` a body, and start one run for each of its requests, all or none. `streamed` None: a whole reply.

    Where the request goes on with a stream that was cut, nothing is read or started. Raises BadRequest, Overloaded,
    NotReady or Refused.
    """
    response: RunResponse
    if streamed is None:
        response = WholeResponse(await start_runs(engine, client, body.size, read), dialect)
    elif streamed.last_event_id:
        response = streamed.store.resume(streamed.last_event_id)
    else:
        runs = await start_runs(engine, client, body.size, lambda: streamed.check(read()))
        response = streamed.open(runs, dialect)
    response.early_headers |= write_ignored(body)
    return response


async def start_runs(engine: Engine, client: str, size: int, read: Callable[[], Sequence[Request]]) -> list[Run]:
    """Start a run for each request that `read` returns, all or none; in a thread where they are long."""

    def start() -> list[Run]:
        return Run.start_all(engine, [replace(request, client=client) for request in read()])

    return await run_beside(size, start, _cancel_all)


def _cancel_all(runs: Sequence[Run]) -> None:
    for run in runs:
        run.cancel()
