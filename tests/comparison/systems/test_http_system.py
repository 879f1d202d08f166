from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from demo.bench.client import Client
from demo.bench.sample import MeasurementError
from tests.bench.fake_server import WORDS, FakeServer, Script, serve
from tests.comparison.systems.http_system import HttpSystem
from tests.comparison.systems.system import Identity, Question

QUESTION = Question(({"role": "user", "content": "Why?"},), 7)
IDENTITY = Identity("fake", "1", "as stored", 100, "HTTP")


@contextmanager
def opened(script: Script | None = None, **options: Any) -> Iterator[tuple[HttpSystem, FakeServer]]:
    with serve(script) as server:
        yield HttpSystem(IDENTITY, Client(server.url), "m", **options), server


def test_an_answer_has_its_text_and_a_time_for_each_token() -> None:
    with opened() as (system, _):
        (answer,) = system.ask([QUESTION])
    assert answer.text == "".join(WORDS)
    assert answer.tokens == len(answer.times) == len(WORDS)
    assert 0 < answer.ttft < answer.times[-1] - answer.asked


def test_the_question_is_asked_greedily_with_the_extra_parameters() -> None:
    with opened(extras={"ignore_eos": True}) as (system, server):
        system.ask([QUESTION])
        (asked,) = server.asked
    assert (asked["model"], asked["max_tokens"], asked["temperature"], asked["ignore_eos"]) == ("m", 7, 0, True)
    assert asked["messages"] == [{"role": "user", "content": "Why?"}]


def test_the_servers_token_counts_take_precedence_over_its_events() -> None:
    with opened(Script(usage={"prompt_tokens": 33, "completion_tokens": 9})) as (system, _):
        (answer,) = system.ask([QUESTION])
    assert (answer.tokens, answer.prompt_tokens) == (9, 33)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (Script(refusal=503), "answered 503: no such thing"),
        (Script(breaks_after=2), "out of memory"),
        (Script(cuts_after=2), "broke the connection"),
    ],
)
def test_the_error_of_a_server_is_quoted(script: Script, words: str) -> None:
    with opened(script) as (system, _), pytest.raises(MeasurementError, match=words):
        system.ask([QUESTION])
