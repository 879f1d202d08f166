"""Finds out what answers at an address: its kind by the routes that only it has, its model, and whether it streams."""

import asyncio
import itertools
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from demo.choice import Choice
from demo.engine import ModelCard
from demo.engines.endpoint.backend import Backend, find_dict
from demo.engines.endpoint.connection import Connection, Json, NoStream, Unauthorized, Unreachable, WrongRoute
from demo.engines.endpoint.kinds.llama_cpp import LlamaCppPythonBackend, LlamaServerBackend
from demo.engines.endpoint.kinds.tgi import TgiBackend, TokenStreamingBackend
from demo.engines.endpoint.kinds.vllm import RayServeBackend, SglangBackend, VllmBackend
from demo.errors import BadRequest, DemoError, NotReady, Overloaded, SettingError
from demo.request import Message, Prompt, Request
from demo.settings import DEFAULT_MAX_TOTAL_TOKENS, Settings

logger = logging.getLogger(__name__)

TEXT: Final = "Hello"
GREETINGS: Final[tuple[Prompt, ...]] = ((Message("user", TEXT),), TEXT)
PROBES: Final = ("/info", "/get_model_info", "/props", "/version", "/-/routes")


@dataclass(frozen=True, slots=True)
class Found:
    """What the routes of an engine elsewhere say: its kind, and what it tells of its model."""

    kind: type[Backend]
    version: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)  # of the route that told the kind


async def discover(connection: Connection, settings: Settings) -> Backend:
    """What answers at the connection's address, after its first answer: that one may compile for seconds.

    Raises Unreachable, NotReady or Overloaded where it may answer later; SettingError where a setting is wrong.
    """
    try:
        entry = choose_model(await list_models(connection), settings.endpoint_model, connection.name)
        backend = make_backend(await find_kind(connection, entry), entry, settings, connection.url)
        return await warm_up(connection, backend)
    except Unauthorized as error:
        raise SettingError(f"--endpoint-api-key is missing or wrong: {error}") from error
    except (WrongRoute, NoStream) as error:
        raise SettingError(f"--endpoint is {connection.url}, which can't be used: {error}") from error


async def list_models(connection: Connection) -> list[Json]:
    """The entries of /v1/models."""
    reply = await connection.ask("/v1/models")
    entries = reply.get("data") if isinstance(reply, dict) else None
    if not isinstance(entries, list) or not all(isinstance(each, dict) and "id" in each for each in entries):
        raise WrongRoute(f"{connection.name} does not list its models at /v1/models.")
    return entries


async def find_kind(connection: Connection, entry: Json) -> Found:
    """The kind of a server, by the names of its routes or its model's entry; a plain one where neither tells."""
    info, sglang, llama, version, ray = await asyncio.gather(*(_probe(connection, path) for path in PROBES))
    if info.get("router") == "token-streaming":
        return Found(TokenStreamingBackend, str(info.get("version", "")), info)
    if "model_id" in info and "max_total_tokens" in info:
        return Found(TgiBackend, str(info.get("version", "")), info)
    if "model_path" in sglang:
        return Found(SglangBackend, facts=sglang)
    if "default_generation_settings" in llama:
        return Found(LlamaServerBackend, str(llama.get("build_info", "")), llama)
    if isinstance(version.get("version"), str):
        return Found(VllmBackend, version["version"])
    if ray:
        return Found(RayServeBackend)
    return Found(LlamaCppPythonBackend if entry.get("owned_by") == "me" and "permissions" in entry else Backend)


async def _probe(connection: Connection, path: str) -> Json:
    """The object that a route replies with; empty where there is no such route."""
    try:
        reply = await connection.ask(path)
    except Unreachable:
        raise
    except DemoError:
        return {}
    return reply if isinstance(reply, dict) else {}


def choose_model(entries: list[Json], wanted: str | None, name: str) -> Json:
    """The entry of the wanted model, or of the only one. Raises SettingError with the names that there are."""
    listed = ", ".join(str(each["id"]) for each in entries[:10])
    if wanted is not None:
        for each in entries:
            if each["id"] == wanted:
                return each
        raise SettingError(f"--endpoint-model is {wanted!r}: {name} serves {listed or 'no model'}.")
    if len(entries) != 1:
        raise SettingError(f"{name} serves {len(entries)} models: choose one of {listed} with --endpoint-model.")
    return entries[0]


def make_backend(found: Found, entry: Json, settings: Settings, url: str) -> Backend:
    """The backend, with the card of its model."""
    facts, kind = found.facts, found.kind
    told = read_length(entry, facts)
    total = settings.max_total_tokens or told or DEFAULT_MAX_TOTAL_TOKENS
    own = "the engine's own" if told else "the engine does not tell its own"
    reason = "as set" if settings.max_total_tokens else own
    logger.info("%s", Choice("max-total-tokens", total, reason))
    device = " ".join(filter(None, (kind.title, found.version)))
    logger.info("%s", Choice("endpoint", url, f"{device} with the model {entry['id']}"))
    card = ModelCard(
        str(facts.get("model_id") or entry["id"]),
        facts.get("model_sha"),
        "endpoint",
        device,
        str(facts.get("model_dtype") or "its own dtype"),
        int(facts.get("max_input_tokens") or total - 1),
        total,
        settings.max_new_tokens or facts.get("max_new_tokens"),
        plain_prompts=settings.plain_prompts,
        has_logprobs=kind.has_logprobs,
        has_top_ids=kind.has_top_ids,
    )
    return kind(card, str(entry["id"]))


def read_length(entry: Json, facts: Mapping[str, Any]) -> int | None:
    """The most tokens of a prompt and its answer together, under the name that this kind gives them."""
    told = (
        entry.get("max_model_len"),
        facts.get("max_total_tokens"),
        find_dict(facts, "default_generation_settings").get("n_ctx"),
        find_dict(entry, "meta").get("n_ctx_train"),
    )
    return next((each for each in told if isinstance(each, int) and each > 1), None)


async def warm_up(connection: Connection, backend: Backend) -> Backend:
    """The backend after one streamed token, so that no client waits for what its first answer compiles.

    A server that refuses log-probabilities, or conversations, is asked without them from then on.
    """
    refusals: list[BadRequest] = []
    for greeting, logprobs in itertools.product(GREETINGS, {backend.has_logprobs: None, False: None}):
        tried = replace(backend, card=replace(backend.card, has_logprobs=logprobs))
        try:
            tried = await _ask_for_a_token(connection, tried, greeting)
        except BadRequest as refusal:
            refusals.append(refusal)
        except (Overloaded, NotReady) as error:
            if isinstance(error, Unreachable):
                raise
            logger.info("The engine elsewhere is not warmed up: %s", error)
            return tried
        else:
            return _note_refusals(tried, greeting, refusals)
    raise SettingError(f"--endpoint is {connection.url}, which refuses every request: {refusals[0]}") from refusals[0]


async def _ask_for_a_token(connection: Connection, backend: Backend, greeting: Prompt) -> Backend:
    """The backend, with what the answer shows of the model's reasoning."""
    call = backend.write(Request(greeting, max_new_tokens=1), None)
    reasoned = [backend.read(event).reasoned async for event in connection.stream(*call)]
    if any(reasoned) or greeting == TEXT:
        return replace(backend, tells_reasoning=any(reasoned))
    return replace(backend, opens_reasoning=await _can_open(backend, connection, greeting))


async def _can_open(backend: Backend, connection: Connection, greeting: Prompt) -> bool:
    """Whether the template opens a tag of reasoning for a greeting; False where that is not told as documented."""
    try:
        return await backend.is_opened(connection, greeting, "{}")
    except (DemoError, LookupError, TypeError, ValueError, AttributeError):
        return False


def _note_refusals(backend: Backend, greeting: Prompt, refusals: list[BadRequest]) -> Backend:
    if not backend.card.has_logprobs:
        logger.info("%s", Choice("log-probabilities", "none", f"the engine refuses them: {refusals[0]}"))
    if greeting == TEXT:
        logger.info("%s", Choice("plain-prompts", "raw", f"the engine refuses conversations: {refusals[0]}"))
        return replace(backend, card=replace(backend.card, plain_prompts="raw"))
    return backend
