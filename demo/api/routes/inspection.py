"""The routes that generate nothing: health, model, its reload, metrics, and tokenization."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import orjson
from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from demo import __version__
from demo.api.dialects.body import write_ignored
from demo.api.dialects.chat import ChatRequest
from demo.api.dialects.errors import Refused
from demo.api.dialects.native import MAX_BEST_OF, GenerateRequest
from demo.api.dialects.openai_request import MAX_CHOICES
from demo.api.json_route import JsonRoute
from demo.api.openapi import documents, reports
from demo.api.page_sessions import PageSessions
from demo.api.routes.generation import find_card
from demo.engine import Engine, ModelCard, Piece, Ready
from demo.engines.draining import Drain
from demo.engines.metered import MeteredEngine
from demo.errors import NotReady
from demo.prompt_threads import run_beside
from demo.request import MAX_STOP_SEQUENCES
from demo.shared_limit import SharedLimit

PIECES_AT_ONCE: Final = 1000
STALLED_SECONDS: Final = 60.0  # a step takes milliseconds; the longest chunk of a prompt, a few seconds
RELOAD_FORBIDDEN: Final = (
    "Only whoever runs this server may load its model again: send `Authorization: Bearer <key>` where it has an API "
    "key, else ask from the machine that it runs on."
)
NOTHING_TO_RELOAD: Final = "There is nothing to load again: the model is ready, or is being loaded now."


def build_inspection_routes(
    engine: MeteredEngine, tabs: SharedLimit | None = None, drain: Drain | None = None
) -> APIRouter:
    """GET the state of the server; POST a text to see its tokens."""
    router = APIRouter(route_class=JsonRoute, tags=["inspect"])

    async def health() -> reports.Health:
        """Whether requests can be answered. A busy server is healthy; a failed, stalled or draining one is not."""
        check_health(engine)
        if drain is not None:
            drain.require_open()
        load = engine.load
        report: reports.Health = {"status": "ok", "running": load.running, "waiting": load.waiting, "limit": load.limit}
        # 200 also where all tabs are taken: the API answers, and restarting the server would close the tabs.
        return report if tabs is None else {**report, "tabs": tabs.taken, "tab_limit": tabs.limit}

    for path in ("/health", "/ping"):
        router.add_api_route(path, health, **documents.reply(reports.Health, 503), operation_id=f"get{path[1:]}")

    @router.get("/info", **documents.reply(reports.Info, 503))
    async def info() -> reports.Info:
        """The model, and the limits of requests."""
        return write_info(engine)

    @router.get("/v1/models", **documents.reply(reports.Models, 503))
    async def models() -> reports.Models:
        """The model, in OpenAI's format."""
        return {"object": "list", "data": [write_model(find_card(engine))]}

    @router.get("/v1/models/{model:path}", **documents.reply(reports.ModelEntry, 404, 422, 503))
    async def model(model: str) -> reports.ModelEntry:
        """The model of this name, which may hold slashes, in OpenAI's format."""
        entry = write_model(find_card(engine))
        if model != entry["id"]:
            raise Refused("not_found", f"There is no model {model!r} here: this server has {entry['id']}.")
        return entry

    @router.get("/metrics", **documents.text("Prometheus' text format."))
    async def metrics() -> Response:
        """Counters and histograms for Prometheus."""
        return Response(engine.metrics.write(), media_type=CONTENT_TYPE_LATEST)

    _add_tokenizing_routes(router, engine)
    return router


def _add_tokenizing_routes(router: APIRouter, engine: Engine) -> None:
    @router.post("/tokenize", **documents.reply(list[reports.TextToken], 413, 422, 429, 503))
    async def tokenize(body: GenerateRequest) -> Response:
        """The tokens of `inputs`, without a chat template, each with its position in characters."""
        return await _reply_beside(engine, body, lambda: write_pieces(*engine.tokenize(body.inputs)))

    @router.post("/chat_tokenize", **documents.reply(reports.TokenizedChat, 413, 422, 429, 503))
    async def chat_tokenize(body: ChatRequest) -> Response:
        """A conversation in the model's chat template, with the variables of the request, and its tokens."""
        return await _reply_beside(engine, body, lambda: write_chat(engine, body))


def build_reload_routes(reload: Callable[[], bool], sessions: PageSessions) -> APIRouter:
    """POST /reload; `reload` begins the next attempt, or returns False where none is due."""
    router = APIRouter(tags=["inspect"])

    @router.post("/reload", status_code=202, **documents.accepted(reports.Reload, 403, 409))
    async def load_again(request: Request) -> reports.Reload:
        """Load the model again now. For whoever has the API key; without one, for clients on the server's machine."""
        if not sessions.admit_operator(request.scope):
            raise Refused("forbidden", RELOAD_FORBIDDEN)
        if not reload():
            raise Refused("conflict", NOTHING_TO_RELOAD)
        return {"status": "loading"}

    return router


async def _reply_beside(engine: Engine, body: GenerateRequest | ChatRequest, write: Callable[[], bytes]) -> Response:
    """`write` in this thread where its text is short, but never while an engine elsewhere is waited for."""
    status = engine.status
    is_elsewhere = isinstance(status, Ready) and status.card.source == "endpoint"
    written = await (asyncio.to_thread(write) if is_elsewhere else run_beside(body.size, write))
    return Response(written, headers=write_ignored(body), media_type="application/json")


def check_health(engine: Engine) -> None:
    """Raises NotReady if requests cannot be answered."""
    find_card(engine)
    if (stalled := engine.load.stalled) > STALLED_SECONDS:
        raise NotReady(f"no step of the model has ended for {stalled:.0f} s.")


def write_info(engine: Engine) -> reports.Info:
    """TGI's /info."""
    card = find_card(engine)
    return {
        "model_id": card.model_id,
        "model_sha": card.revision,
        "model_dtype": card.dtype,
        "model_device_type": card.device.partition(":")[0],
        "model_pipeline_tag": "text-generation",
        "max_concurrent_requests": engine.load.limit,
        "max_best_of": MAX_BEST_OF,
        "max_stop_sequences": MAX_STOP_SEQUENCES,
        "max_input_tokens": card.max_input_tokens,
        "max_total_tokens": card.max_total_tokens,
        "max_new_tokens": card.max_new_tokens,
        "validation_workers": 1,
        "max_client_batch_size": min(MAX_CHOICES, engine.load.limit),
        "plain_prompts": card.plain_prompts,
        "costs_quota": card.costs_quota,
        "watermark": "accepted, not applied",
        "router": "token-streaming",
        "version": __version__,
    }


def write_model(card: ModelCard) -> reports.ModelEntry:
    """OpenAI's model, and vLLM's length of its context."""
    return {
        "id": card.model_id,
        "object": "model",
        "created": 0,
        "owned_by": card.model_id.split("/")[0],
        "root": card.model_id,
        "max_model_len": card.max_total_tokens,
    }


def write_chat(engine: Engine, body: ChatRequest) -> bytes:
    """TGI's reply to /chat_tokenize."""
    text, pieces = engine.tokenize(body.conversation(), body.template_options)
    return b'{"tokenize_response":%b,"templated_text":%b}' % (write_pieces(text, pieces), orjson.dumps(text))


def write_pieces(text: str, pieces: Sequence[Piece]) -> bytes:
    """TGI's list of tokens as JSON, in parts: an encoder holds the GIL to the end of what it is given."""
    parts = (pieces[at : at + PIECES_AT_ONCE] for at in range(0, len(pieces), PIECES_AT_ONCE))
    return b"[%b]" % b",".join(orjson.dumps([_write_piece(text, each) for each in part])[1:-1] for part in parts)


def _write_piece(text: str, piece: Piece) -> reports.TextToken:
    return {"id": piece.id, "text": text[piece.start : piece.stop], "start": piece.start, "stop": piece.stop}
