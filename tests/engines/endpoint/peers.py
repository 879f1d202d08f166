"""Servers of each kind, as far as they are asked: the routes that tell them apart, and their events byte for byte."""

from collections.abc import Sequence
from typing import Any

from tests.engines.endpoint.scripted_server import DONE, Reply, ScriptedServer, Stream, frame

MODEL = "org/model"
# Routes that tell a prompt's tokens, where a test does not say what they reply.
UNTOLD = dict.fromkeys(("/tokenize", "/apply-template", "/chat_tokenize"), Reply(404, {"detail": "Not Found"}))


def models(*names: str, **facts: Any) -> Reply:
    """The reply of /v1/models."""
    return Reply(200, {"object": "list", "data": [{"id": name, "object": "model", **facts} for name in names]})


def chat(
    content: str | None = None, *, finish: str | None = None, event: dict[str, Any] | None = None, **choice: Any
) -> bytes:
    """A chunk of /v1/chat/completions: of `choice`'s fields beside OpenAI's, and `event`'s beside the choice."""
    delta = {} if content is None else {"content": content}
    fields = {"index": 0, "delta": delta, "finish_reason": finish, **choice}
    return frame(object="chat.completion.chunk", model=MODEL, choices=[fields], **(event or {}))


def completion(text: str, *, finish: str | None = None, event: dict[str, Any] | None = None, **choice: Any) -> bytes:
    fields = {"index": 0, "text": text, "finish_reason": finish, **choice}
    return frame(object="text_completion", model=MODEL, choices=[fields], **(event or {}))


def usage(prompt: int, generated: int, cached: int | None = None, **event: Any) -> bytes:
    details = {} if cached is None else {"prompt_tokens_details": {"cached_tokens": cached}}
    counts = {"prompt_tokens": prompt, "completion_tokens": generated, "total_tokens": prompt + generated, **details}
    return frame(object="chat.completion.chunk", model=MODEL, choices=[], usage=counts, **event)


def logprobs(*tokens: tuple[str | bytes, float], **more: Any) -> dict[str, Any]:
    """A chat choice's log-probabilities; bytes for a part of a character."""
    content = []
    for text, logprob in tokens:
        raw = text.encode() if isinstance(text, str) else text
        content.append(
            {"token": raw.decode(errors="replace"), "logprob": logprob, "bytes": list(raw), "top_logprobs": [], **more}
        )
    return {"content": content}


def running(generated: int, prompt: int = 9) -> dict[str, Any]:
    """What `continuous_usage_stats` adds to a chunk."""
    return {"usage": {"prompt_tokens": prompt, "completion_tokens": generated, "total_tokens": prompt + generated}}


def token(id: int, text: str, **choice: Any) -> bytes:
    """vLLM's chunk of one token, whose id is its number."""
    return chat(text, logprobs=logprobs((text, -0.5)), token_ids=[id], event=running(id), **choice)


# vLLM 0.32, as seen: role and prompt ids first, a half character and the end token with empty texts.
VLLM_ANSWER: Sequence[bytes] = (
    frame(
        object="chat.completion.chunk",
        choices=[{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}],
        prompt_token_ids=[1, 2, 3, 4, 5, 6, 7, 8, 9],
        **running(0),
    ),
    chat("Hel", logprobs=logprobs(("Hel", -0.5)), token_ids=[11], event=running(1)),
    chat("lo ", logprobs=logprobs(("lo", -0.25), (" ", -0.75)), token_ids=[12, 13], event=running(3)),
    chat("", logprobs=logprobs((b"\xe6\x97", -1.0)), token_ids=[14], event=running(4)),
    chat("日", logprobs=logprobs((b"\xa5", -1.5)), token_ids=[15], event=running(5)),
    chat(
        "", logprobs=logprobs(("<|im_end|>", -0.125)), token_ids=[2], finish="stop", stop_reason=None, event=running(6)
    ),
    usage(9, 6, cached=4, metrics={"time_to_first_token_ms": 31.5, "queue_time_ms": 0.25}),
    DONE,
)


# The answer to the greeting with which every server is warmed up.
GREETING = Stream((chat("Hi", finish="length"), DONE))


def make_vllm(*streams: Stream | Reply) -> ScriptedServer:
    routes = UNTOLD | {"/v1/models": models(MODEL, max_model_len=512), "/version": Reply(200, {"version": "0.32.0"})}
    return ScriptedServer(routes, Stream(VLLM_ANSWER), list(streams))


def make_plain(*streams: Stream | Reply) -> ScriptedServer:
    answer = Stream((chat("Hi"), chat(" there"), chat(finish="stop"), usage(7, 2), DONE))
    return ScriptedServer({"/v1/models": models(MODEL)}, answer, list(streams))


def make_sglang(*streams: Stream | Reply) -> ScriptedServer:
    routes = {"/v1/models": models(MODEL, max_model_len=512), "/get_model_info": Reply(200, {"model_path": MODEL})}
    first = chat("Hi", logprobs=logprobs(("Hi", -0.5)), event=running(1))
    return ScriptedServer(routes, Stream((first, chat(finish="stop"), usage(7, 2), DONE)), list(streams))


def make_llama(*streams: Stream | Reply) -> ScriptedServer:
    props = {"default_generation_settings": {"n_ctx": 256}, "build_info": "b7000", "total_slots": 4}
    routes = UNTOLD | {"/v1/models": models("model.gguf"), "/props": Reply(200, props)}
    return ScriptedServer(routes, Stream(LLAMA_ANSWER), list(streams))


# The second token began a character and was not sent; the fourth, the end token, was not either.
LLAMA_ANSWER: Sequence[bytes] = (
    chat("Hi", logprobs=logprobs(("Hi", -0.5), id=21), event={"timings": {"predicted_n": 1, "cache_n": 0}}),
    chat("é", logprobs=logprobs((b"\xa9", -0.25), id=23), event={"timings": {"predicted_n": 3, "cache_n": 0}}),
    chat(finish="stop", event={"timings": {"predicted_n": 4, "prompt_ms": 12.5, "predicted_ms": 40.0}}),
    usage(5, 4),
    DONE,
)


def make_tgi(*streams: Stream | Reply) -> ScriptedServer:
    info = {
        "model_id": MODEL,
        "model_sha": "abc",
        "model_dtype": "torch.bfloat16",
        "max_total_tokens": 128,
        "max_input_tokens": 100,
        "router": "text-generation-router",
        "version": "3.3.7",
    }
    routes = UNTOLD | {"/v1/models": models(MODEL), "/info": Reply(200, info)}
    answer = Stream((chat("Hi", logprobs=logprobs(("Hi", -0.5))), chat("", finish="stop"), usage(7, 2), DONE))
    return ScriptedServer(routes, answer, list(streams))


def make_ray(*streams: Stream | Reply) -> ScriptedServer:
    server = make_vllm(*streams)
    del server.routes["/version"]
    server.routes["/-/routes"] = Reply(200, {"/": "llm"})
    return server
