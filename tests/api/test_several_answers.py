"""Several choices or prompts of one request, in every dialect: all are admitted or none; a limit is named."""

from collections.abc import Mapping
from typing import Any

import pytest
from fastapi import FastAPI

from demo.api.application import create_api
from demo.client_key import make_client_key
from demo.engine import Engine, Load
from demo.engines.fair_engine import FairEngine
from demo.engines.metered import MeteredEngine
from demo.request import Request
from demo.settings import Settings
from tests.api.client import post
from tests.api.script import AnsweringEngine
from tests.engines.test_fair_engine import LimitedEngine

SAMPLED = {"do_sample": True}
MESSAGES = [{"role": "user", "content": "hi"}]
BODIES: list[tuple[str, Mapping[str, Any]]] = [
    ("/v1/chat/completions", {"messages": MESSAGES, "n": 2}),
    ("/v1/chat/completions", {"messages": MESSAGES, "n": 2, "stream": True}),
    ("/v1/completions", {"prompt": ["a", "b"]}),
    ("/v1/completions", {"prompt": ["a", "b"], "stream": True}),
    ("/generate", {"inputs": "a", "parameters": {"best_of": 2, **SAMPLED}}),
    ("/", {"inputs": "a", "parameters": {"best_of": 2, **SAMPLED}}),
]


class SmallEngine(AnsweringEngine):
    """Answers at once, and says that it admits `limit`."""

    limit = 2

    @property
    def load(self) -> Load:
        return Load(0, 0, self.limit, 0.0)


def open_fair(engine: Engine) -> FastAPI:
    return create_api(MeteredEngine(FairEngine(engine)), Settings())


@pytest.mark.parametrize(("path", "body"), BODIES)
def test_more_answers_than_a_client_can_have_places_are_invalid(path: str, body: Mapping[str, Any]) -> None:
    engine = SmallEngine()
    engine.limit = 1
    reply = post(open_fair(engine), path, **body)
    assert reply.status_code == 422
    assert "2 answers are asked for at once, and one client gets at most 1 place of this server's 1" in reply.text
    assert "retry-after" not in reply.headers
    assert not engine.tickets


@pytest.mark.parametrize(("path", "body"), BODIES)
def test_where_one_of_two_would_fit_none_begins(path: str, body: Mapping[str, Any]) -> None:
    engine = LimitedEngine()
    engine.limit = 5
    fair = FairEngine(engine)
    for client in ("a", "b", "c"):  # two places are left: one for a newcomer
        fair.submit(Request("hi", client=make_client_key(client, "address")), lambda *events: None)
    reply = post(create_api(MeteredEngine(fair), Settings()), path, **body)
    assert reply.status_code == 429, reply.text
    assert len(engine.tickets) == 3
