"""This server in front of another one: every event is the one behind, and cancelling reaches through."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.engine import Ready
from demo.engines.endpoint.engine import EndpointEngine
from demo.errors import BadRequest, DemoError, Overloaded
from demo.events import Candidate, FinishReason, Token
from demo.request import Message, Request, Sampling
from demo.run import Run
from demo.settings import Settings
from tests.api.script import AnsweringEngine, Script
from tests.api.serving import serve_api
from tests.engines.endpoint.opened import PATIENCE, Events, ask, open_ready, wait_for_status
from tests.scripted import ScriptedEngine

RAW = Request("Hello", max_new_tokens=64)
drawn = settings(max_examples=30, database=None, derandomize=True)
# JSON holds every float; ids and log-probabilities are what an engine may have.
LOGPROBS = st.floats(-20, 0)
IDS = st.integers(0, 300_000)
CANDIDATES = st.builds(Candidate, IDS, st.text(max_size=3), LOGPROBS, st.booleans())


@st.composite
def scripts(draw: st.DrawFn, *reasons: FinishReason) -> Script:
    """A whole answer: half characters, and at its end a special token or none."""
    texts = draw(st.lists(st.text("ab é日😀\n", max_size=4), min_size=1, max_size=12))
    top = draw(st.lists(CANDIDATES, max_size=2).map(lambda each: sorted(each, key=lambda one: -(one.logprob or 0.0))))
    tokens = [
        Token(0.0, index, draw(IDS), text, draw(LOGPROBS), False, tuple(top)) for index, text in enumerate(texts, 1)
    ]
    reason = draw(st.sampled_from(reasons))
    if reason == "eos_token":
        tokens[-1] = replace(tokens[-1], text="", special=True)
    read, seed = draw(st.integers(1, 99)), draw(st.integers(0, 2**64 - 1))
    return Script(tuple(tokens), reason, read, seed, cached_tokens=read // 2)


class Behind:
    """Another instance of this server, with a scripted engine, and the engine that speaks to it."""

    def __init__(self, url: str, engine: AnsweringEngine, front: EndpointEngine) -> None:
        self.url, self.engine, self.front = url, engine, front

    def script(self, script: Script) -> None:
        self.engine._scripts = (script,)
        self.engine.tickets.clear()


@pytest.fixture(scope="module")
def behind() -> Iterator[Behind]:
    engine = AnsweringEngine()
    with serve_api(engine) as url, open_ready(url) as front:
        yield Behind(url, engine, front)


def read_tokens(events: Events) -> list[Token]:
    """The tokens without their times, which are of two clocks."""
    return [replace(token, time=0.0) for token in events.tokens]


@drawn
@given(scripts("length", "eos_token", "stop_sequence"))
def test_every_event_of_a_text_is_the_one_behind(behind: Behind, script: Script) -> None:
    behind.script(script)
    request = replace(RAW, top_n_tokens=2, sampling=Sampling(do_sample=True, seed=script.seed))
    events = ask(behind.front, request)
    assert read_tokens(events) == list(script.tokens)
    end = events.done
    assert (end.finish_reason, end.generated_tokens) == (script.reason, len(script.tokens))
    assert events.start.seed == script.seed
    report = events.report
    assert (report.input_tokens, report.cached_tokens) == (script.input_tokens, script.cached_tokens)


@drawn
@given(scripts("length", "eos_token"))
def test_every_token_of_a_conversation_is_the_one_behind(behind: Behind, script: Script) -> None:
    behind.script(script)
    conversation = (Message("system", "Be brief."), Message("user", "Hello"))
    events = ask(behind.front, replace(RAW, prompt=conversation))
    assert [(each.id, each.text, each.logprob, each.special) for each in events.tokens] == [
        (each.id, each.text, each.logprob, each.special) for each in script.tokens
    ]
    end = events.done
    assert (end.finish_reason, end.generated_tokens) == (script.reason, len(script.tokens))
    assert behind.engine.tickets[-1].request.prompt == conversation


@pytest.mark.parametrize(
    "request_",
    [
        RAW,
        replace(RAW, sampling=Sampling(True, 0.5, top_k=3, top_p=0.5, typical_p=0.25, repetition_penalty=1.5, seed=7)),
        replace(RAW, stop=("a", "b"), ignore_eos=True, truncate=5, cache_prompt=False, max_new_tokens=3),
        replace(RAW, prompt=(Message("user", "a"), Message("assistant", "b"))),
        replace(RAW, prompt=(Message("user", "a"),), sampling=Sampling(True, top_p=0.5, presence_penalty=1.0, seed=7)),
        replace(RAW, prompt=(Message("user", "a"),), ignore_eos=True, cache_prompt=False, max_new_tokens=None),
    ],
)  # fmt: skip
def test_the_request_behind_is_the_one_in_front(behind: Behind, request_: Request) -> None:
    behind.script(Script((Token(0.0, 1, 5, "c", -0.5, False),), "length"))
    ask(behind.front, request_)
    received = behind.engine.tickets[-1].request
    same = replace(received, client=None, sampling=replace(received.sampling, seed=request_.sampling.seed))
    assert same == request_


@pytest.mark.parametrize("error", [Overloaded("Full."), BadRequest("No.")])
@pytest.mark.parametrize("prompt", ["Hello", (Message("user", "Hello"),)])
def test_a_refusal_behind_is_the_same_refusal_here(behind: Behind, error: DemoError, prompt: Any) -> None:
    behind.engine.refusal = error
    try:
        refusal = ask(behind.front, replace(RAW, prompt=prompt)).error
    finally:
        behind.engine.refusal = None
    assert (type(refusal), str(refusal)) == (type(error), str(error))


def test_the_tokens_of_texts_and_conversations_are_those_behind(behind: Behind) -> None:
    for prompt in ("Hé 日", (Message("user", "Hello"),)):
        assert behind.front.tokenize(prompt) == behind.engine.tokenize(prompt)


def test_replies_through_both_servers_are_alike_but_for_their_times(behind: Behind) -> None:
    answer = tuple(Token(0.0, index, 9 + index, text, -0.25, False) for index, text in enumerate(["Hé", "", "日"], 1))
    with serve_api(EndpointEngine(Settings(endpoint=behind.url), on_broken=lambda: None)) as url:
        until = time.monotonic() + PATIENCE
        while httpx2.get(f"{url}/health").status_code != 200:
            assert time.monotonic() < until
        behind.script(Script(answer, "length", input_tokens=11, cached_tokens=4))
        bodies = [
            ("/generate", {"inputs": "Hi", "raw": True, "parameters": {"details": True, "seed": 7, "do_sample": True}}),
            ("/v1/completions", {"prompt": "Hi", "raw": True, "logprobs": 0}),
            ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}], "logprobs": True}),
        ]
        for path, body in bodies:
            replies = [httpx2.post(f"{each}{path}", json=body).json() for each in (url, behind.url)]
            here, there = (
                {name: value for name, value in reply.items() if name not in ("id", "created", "system_fingerprint")}
                for reply in replies
            )
            assert here == there
        headers = httpx2.post(f"{url}/generate", json={"inputs": "Hi", "raw": True}).headers
        assert "x-queue-time" not in headers
        assert "prefill" not in headers["server-timing"]


def test_cancelling_here_stops_the_work_behind_within_a_token() -> None:
    engine = ScriptedEngine()
    with serve_api(engine) as url:
        front = EndpointEngine(Settings(endpoint=url), on_broken=lambda: None)
        greeting = engine.wait_for_ticket(1)
        greeting.start()
        greeting.write_last("Hi", "length")
        wait_for_status(front, Ready)
        run = Run(front, RAW)
        ticket = engine.wait_for_ticket(2)
        ticket.start()
        ticket.write("One")
        reader = run.attach()
        next(batch for batch in reader if Events(batch).tokens)
        reader.close()  # the last reader: the run is cancelled
        assert ticket.stopped.wait(PATIENCE)
        assert len(Events(run.events).tokens) == 1
        front.close()
