from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from demo.bench.peers.contestant import Identity, Question
from demo.bench.peers.served import Served, choose_model, get_json
from demo.bench.peers.streams import read_address
from demo.bench.sample import Unmeasured
from tests.bench.fake import WORDS, Script, serve

QUESTION = Question(({"role": "user", "content": "Why?"},), 7)
IDENTITY = Identity("fake", "1", "as stored", 100, "HTTP")


@contextmanager
def opened(script: Script | None = None, **options: Any) -> Iterator[Served]:
    with serve(script) as server:
        yield Served(IDENTITY, read_address(server.url), "m", **options)


def test_an_answer_has_its_text_and_a_time_for_each_token() -> None:
    with opened() as served:
        (answer,) = served.ask([QUESTION])
    assert answer.text == "".join(WORDS)
    assert answer.tokens == len(answer.times) == len(WORDS)
    assert 0 < answer.ttft < answer.times[-1] - answer.asked
    assert len(answer.gaps) == len(WORDS) - 1


def test_the_question_is_asked_greedily_with_the_peers_own_extras() -> None:
    with serve() as server:
        Served(IDENTITY, read_address(server.url), "m", {"ignore_eos": True}).ask([QUESTION])
        (asked,) = server.asked
    assert (asked["model"], asked["max_tokens"], asked["temperature"], asked["ignore_eos"]) == ("m", 7, 0, True)
    assert asked["messages"] == [{"role": "user", "content": "Why?"}]


def test_what_a_server_counts_is_believed_before_its_events() -> None:
    with opened(Script(usage={"prompt_tokens": 33, "completion_tokens": 9})) as served:
        (answer,) = served.ask([QUESTION])
    assert (answer.tokens, answer.prompt_tokens) == (9, 33)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (Script(refusal=503), "answered 503: no such thing"),
        (Script(breaks_after=2), "out of memory"),
        (Script(cuts_after=2), "broke off|broke the connection"),
    ],
)
def test_a_server_that_fails_is_quoted(script: Script, words: str) -> None:
    with opened(script) as served, pytest.raises(Unmeasured, match=words):
        served.ask([QUESTION])


def test_the_model_is_the_first_listed_and_nobody_there_is_none() -> None:
    with serve() as server:
        address = read_address(server.url)
        assert choose_model(address) == "fake/model"
        assert get_json(address, "/nowhere") is None
    assert get_json(address, "/v1/models") is None
    assert choose_model(address) == "default"
