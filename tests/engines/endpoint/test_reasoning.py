"""What an engine elsewhere tells of a model's reasoning, or leaves in the text, is told as the local engine's is."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from demo.reasoning import join_kind, split_tokens
from demo.request import Message, Request
from tests.engines.endpoint import peers
from tests.engines.endpoint.opened import CHAT, TEXT, Events, ask, open_scripted
from tests.engines.endpoint.peers import GREETING
from tests.engines.endpoint.scripted_server import DONE, Reply, ScriptedServer, Stream, frame

ROLE = frame(choices=[{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])
END = peers.chat("", finish="stop")


def delta(**fields: str) -> bytes:
    """A chunk with these fields in its delta."""
    return frame(choices=[{"index": 0, "delta": fields, "finish_reason": None}])


def read(events: Events) -> tuple[str, str, str]:
    """How the answer begins, its reasoning, and the answer."""
    start = events.start.reasoning
    split = split_tokens(start, events.tokens, is_complete=True)
    reasoning, answer = ("".join(join_kind(parts, kind) for parts in split) for kind in ("reasoning", "answer"))
    return start, reasoning, answer


# As each server streams it: vLLM's newer field, both names at once, SGLang's nulls, llama-server's DeepSeek style.
TOLD: dict[str, tuple[Callable[..., ScriptedServer], Sequence[bytes]]] = {
    "vLLM": (peers.make_vllm, (ROLE, delta(reasoning="Hm"), delta(reasoning=" so", content="Yes"), delta(content="."))),
    "vLLM, both names": (
        peers.make_vllm,
        (ROLE, delta(reasoning="Hm so", reasoning_content="Hm so"), delta(content="Yes"), delta(content=".")),
    ),
    "SGLang": (
        peers.make_sglang,
        (
            frame(choices=[{"index": 0, "delta": {"content": None, "reasoning_content": "Hm so"}}]),
            frame(choices=[{"index": 0, "delta": {"content": "Yes.", "reasoning_content": None}}]),
        ),
    ),
    "llama-server": (
        peers.make_llama,
        (delta(reasoning_content="Hm"), delta(reasoning_content=" so"), delta(content="Yes.")),
    ),
    "a plain server": (peers.make_plain, (delta(reasoning_content="Hm so"), delta(content="Yes."))),
}


@pytest.mark.parametrize(("make", "pieces"), TOLD.values(), ids=TOLD)
def test_what_the_engine_tells_apart_is_told_apart(
    make: Callable[..., ScriptedServer], pieces: Sequence[bytes]
) -> None:
    with open_scripted(make(GREETING, Stream((*pieces, END, DONE)))) as (engine, _):
        assert read(ask(engine)) == ("told", "Hm so", "Yes.")


@pytest.mark.parametrize("make", [peers.make_vllm, peers.make_sglang, peers.make_llama, peers.make_plain])
@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["<think>", "Hm", "</think>", "Yes."], ("tags", "Hm", "Yes.")),
        (["\n<thi", "nk>\nHm</th", "ink>\n\nYes."], ("tags", "Hm", "Yes.")),
        (["Yes", "<think>."], ("none", "", "Yes<think>.")),
    ],
)
def test_tags_in_the_text_are_read(
    make: Callable[..., ScriptedServer], texts: Sequence[str], expected: tuple[str, str, str]
) -> None:
    stream = Stream((*map(peers.chat, texts), END, DONE))
    with open_scripted(make(GREETING, stream)) as (engine, _):
        assert read(ask(engine)) == expected


def test_a_hidden_mark_before_reasoning_that_is_told_is_not_read_twice() -> None:
    hidden = peers.chat("", logprobs=peers.logprobs(("<think>", -0.5)), token_ids=[7], event=peers.running(1))
    choice = {"index": 0, "delta": {"reasoning": "Hm"}, "logprobs": peers.logprobs(("Hm", -0.5)), "token_ids": [8]}
    thought = frame(choices=[choice], **peers.running(2))
    with open_scripted(peers.make_vllm(GREETING, Stream((ROLE, hidden, thought, END, DONE)))) as (engine, _):
        events = ask(engine)
    assert read(events) == ("told", "Hm", "")
    assert [token.id for token in events.tokens][:2] == [7, 8]


def test_an_engine_that_told_its_greeting_apart_tells_every_conversation_so_and_no_text() -> None:
    greeted = Stream((delta(reasoning="Hm"), peers.chat(finish="length"), DONE))
    answers = (Stream((peers.chat("<think>"), END, DONE)), Stream((peers.completion("<think>"), END, DONE)))
    with open_scripted(peers.make_vllm(greeted, *answers)) as (engine, _):
        assert read(ask(engine)) == ("told", "", "<think>")
        assert read(ask(engine, TEXT)) == ("none", "", "<think>")


def open_vllm(text: str) -> dict[str, Any]:
    return {"/tokenize": Reply(200, {"tokens": [1, 2], "token_strs": ["<|user|>Hello", text]})}


def open_llama(text: str) -> dict[str, Any]:
    pieces = {"tokens": [{"id": 1, "piece": f"<|user|>Hello{text}"}]}
    return {"/tokenize": Reply(200, pieces), "/apply-template": Reply(200, {"prompt": f"<|user|>Hello{text}"})}


@pytest.mark.parametrize(
    ("make", "routes", "path"),
    [(peers.make_vllm, open_vllm, "/tokenize"), (peers.make_llama, open_llama, "/apply-template")],
)
def test_where_the_template_opens_the_tag_the_engine_is_asked_how_each_prompt_ends(
    make: Callable[..., ScriptedServer], routes: Callable[[str], dict[str, Any]], path: str
) -> None:
    opened = Stream((peers.chat("Hm</think>"), peers.chat("Yes."), END, DONE))
    server = make(GREETING, opened, Stream((peers.chat("Yes."), END, DONE)))
    server.routes |= routes("<think>\n")
    quiet = replace(CHAT, template_options='{"enable_thinking": false}')
    with open_scripted(server) as (engine, _):
        assert read(ask(engine)) == ("open", "Hm", "Yes.")
        server.routes |= routes("<think>\n\n</think>\n\n")
        assert read(ask(engine, quiet)) == ("none", "", "Yes.")
    assert dict(server.asked)[path]["chat_template_kwargs"] == {"enable_thinking": False}


def test_an_answer_that_was_begun_goes_on_where_it_stood() -> None:
    begun = Request((Message("user", "Hello"), Message("assistant", "<think>Hm")), max_new_tokens=20)
    with open_scripted(peers.make_vllm(GREETING, Stream((peers.chat(" so</think>Yes."), END, DONE)))) as (engine, _):
        assert read(ask(engine, begun)) == ("inside", " so", "Yes.")
