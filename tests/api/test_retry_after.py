"""A refusal says when to try again: in whole seconds, in milliseconds as OpenAI's clients read it, and in its body."""

from typing import Any

import pytest

from demo.api.application import create_api
from demo.api.crowd.client import read_retry_after
from demo.engines.fair_engine import FairEngine
from demo.engines.metered import MeteredEngine
from demo.errors import Overloaded
from demo.request import Request
from demo.run import Run
from demo.settings import Settings
from tests.api.client import GENERATING, MINIMAL, post
from tests.api.script import AnsweringEngine, open_api
from tests.engines.test_fair_engine import LimitedEngine

BODIES = [(path, MINIMAL[path]) for path in GENERATING]


@pytest.mark.parametrize(("path", "body"), BODIES)
@pytest.mark.parametrize(("exact", "seconds", "milliseconds"), [(0.2, "1", "200"), (3.0421, "4", "3042")])
def test_what_is_expected_is_in_the_headers_and_the_body(
    path: str, body: dict[str, Any], exact: float, seconds: str, milliseconds: str
) -> None:
    engine = AnsweringEngine()
    engine.refusal = Overloaded("full", exact)
    reply = post(open_api(engine), path, **body)
    assert reply.status_code == 429
    assert (reply.headers["retry-after"], reply.headers["retry-after-ms"]) == (seconds, milliseconds)
    assert reply.json()["retry_after"] == round(exact, 3)
    assert read_retry_after(reply.headers) == int(milliseconds) / 1000


def test_where_nothing_is_expected_only_whole_seconds_are_sent() -> None:
    engine = AnsweringEngine()
    engine.refusal = Overloaded("full")
    reply = post(open_api(engine), "/generate")
    assert reply.headers["retry-after"] == "1"
    assert "retry-after-ms" not in reply.headers
    assert "retry_after" not in reply.json()
    assert read_retry_after(reply.headers) == 1.0


class FullEngine(LimitedEngine):
    """Is full where its places are."""

    def admit(self) -> None:
        if self.tickets:
            raise Overloaded("Model is overloaded. Try again in a few seconds.")


def test_a_server_that_refuses_before_it_reads_the_body_says_when_there_is_a_place_for_this_client() -> None:
    engine = FullEngine()
    engine.limit = 1
    fair = FairEngine(engine)
    Run(fair, Request("hi", client="other"))
    engine.tickets[0].remaining = 2.5
    reply = post(create_api(MeteredEngine(fair), Settings()), "/generate")
    assert (reply.status_code, reply.headers["retry-after-ms"]) == (429, "2500")
    assert "in about 2.5 s" in reply.json()["error"]
