"""Places are few: whoever asks for all it can leaves some, several answers get all or none, a refusal says how long."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from demo.api.crowd.client import read_retry_after
from demo.client_key import make_client_key
from demo.engine import Load
from demo.engines.fair_engine import FairEngine
from demo.errors import Overloaded
from demo.request import Request
from demo.run import Run
from demo.settings import Settings
from tests.api.client import CHAT, COMPLETIONS, GENERATING, MINIMAL, post
from tests.api.script import AnsweringEngine, open_api
from tests.api.serving import connect_from, serve_api
from tests.engines.test_fair_engine import LimitedEngine
from tests.scripted import ScriptedEngine

LIMIT = 64
JOB = {"inputs": "hi", "parameters": {"max_new_tokens": 4000}}
GREEDY, OTHER = "127.0.0.2", "127.0.0.3"


class HoldingEngine(ScriptedEngine):
    """Admits LIMIT requests, and answers none."""

    @property
    def load(self) -> Load:
        return Load(LIMIT, 0, LIMIT, 0.0)


@pytest.fixture(scope="module", params=["none", "named"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server; where a proxy is named, it is another than the client."""
    proxies = ("198.51.100.1",) if request.param == "named" else ()
    with serve_api(FairEngine(HoldingEngine()), Settings(port=0, trusted_proxies=proxies)) as url:
        yield url


def take_all(client: httpx2.Client, **headers: str) -> tuple[list[str], httpx2.Response]:
    """Ask for twice as many jobs as there are places: those that are admitted, and the last refusal."""
    jobs, refusal = [], None
    for number in range(2 * LIMIT):
        filled = {name: value.format(number) for name, value in headers.items()}
        reply = client.post("/jobs", json=JOB, headers=filled)
        if reply.status_code == 202:
            jobs.append(reply.json()["id"])
        else:
            refusal = reply
    assert refusal is not None
    return jobs, refusal


ATTACKS: list[tuple[dict[str, str], int, str]] = [
    ({}, LIMIT // 2, "You have 32 of the server's 64 places, and 32 are left for all others"),
    ({"X-Forwarded-For": "192.0.2.{}"}, LIMIT // 2, "You have 32 of the server's 64 places"),
    ({"Authorization": "Bearer invented-{}"}, LIMIT * 3 // 4, "Your address has 48 of the server's 64 places"),
]


@pytest.mark.parametrize(("headers", "most", "sentence"), ATTACKS, ids=["jobs", "forwarded addresses", "keys"])
def test_whoever_takes_all_places_leaves_some_and_its_share_is_one_for_all_routes(
    url: str, headers: dict[str, str], most: int, sentence: str
) -> None:
    with connect_from(GREEDY, url) as greedy, connect_from(OTHER, url) as other:
        jobs, refusal = take_all(greedy, **headers)
        assert len(jobs) == most
        assert sentence in refusal.json()["error"]
        for reply in (refusal, *(greedy.post(path, json=MINIMAL[path]) for path in GENERATING)):
            assert (reply.status_code, reply.headers["retry-after"]) == (429, "1")
            assert reply.json()["error_type"] == "overloaded"
        kept = [other.post("/jobs", json=JOB) for _ in range(3)]
        assert [reply.status_code for reply in kept] == [202] * 3
        for client, ids in ((greedy, jobs), (other, [reply.json()["id"] for reply in kept])):
            for id in ids:
                assert client.delete(f"/jobs/{id}").json()["state"] == "cancelled"


SEVERAL: list[tuple[str, dict[str, Any]]] = [
    (CHAT, {"n": 2}),
    (CHAT, {"n": 2, "stream": True}),
    (COMPLETIONS, {"prompt": ["a", "b"]}),
    (COMPLETIONS, {"prompt": ["a", "b"], "stream": True}),
    ("/generate", {"parameters": {"best_of": 2, "do_sample": True}}),
    ("/", {"parameters": {"best_of": 2, "do_sample": True}}),
]


@pytest.mark.parametrize(("path", "body"), SEVERAL)
def test_more_answers_than_a_client_can_have_places_are_invalid(path: str, body: dict[str, Any]) -> None:
    engine = LimitedEngine()
    engine.limit = 1
    reply = post(open_api(FairEngine(engine)), path, **body)
    assert reply.status_code == 422
    assert "2 answers are asked for at once, and one client gets at most 1 place of this server's 1" in reply.text
    assert "retry-after" not in reply.headers
    assert not engine.tickets


@pytest.mark.parametrize(("path", "body"), SEVERAL)
def test_where_one_of_two_would_fit_none_begins(path: str, body: dict[str, Any]) -> None:
    engine = LimitedEngine()
    engine.limit = 5
    fair = FairEngine(engine)
    for client in ("a", "b", "c"):  # two places are left: one for a newcomer
        fair.submit(Request("hi", client=make_client_key(client, "address")), lambda *events: None)
    reply = post(open_api(fair), path, **body)
    assert reply.status_code == 429, reply.text
    assert len(engine.tickets) == 3


@pytest.mark.parametrize("path", GENERATING)
@pytest.mark.parametrize(
    ("wait", "seconds", "milliseconds"), [(0.2, "1", "200"), (3.0421, "4", "3042"), (None, "1", None)]
)
def test_the_expected_wait_is_in_whole_seconds_in_milliseconds_and_in_the_body(
    path: str, wait: float | None, seconds: str, milliseconds: str | None
) -> None:
    engine = AnsweringEngine()
    engine.refusal = Overloaded("full", wait)
    reply = post(open_api(engine), path)
    assert reply.status_code == 429
    assert (reply.headers["retry-after"], reply.headers.get("retry-after-ms")) == (seconds, milliseconds)
    assert reply.json().get("retry_after", "absent") == ("absent" if wait is None else round(wait, 3))
    assert read_retry_after(reply.headers) == float(milliseconds or 1000) / 1000


class FullEngine(LimitedEngine):
    """Is full where its places are."""

    limit = 1

    def admit(self) -> None:
        if self.tickets:
            raise Overloaded("Model is overloaded. Try again in a few seconds.")


def test_a_server_that_refuses_before_it_reads_the_body_says_when_there_is_a_place_for_this_client() -> None:
    engine = FullEngine()
    fair = FairEngine(engine)
    Run(fair, Request("hi", client="other"))
    engine.tickets[0].remaining = 2.5
    reply = post(open_api(fair), "/generate")
    assert (reply.status_code, reply.headers["retry-after-ms"]) == (429, "2500")
    assert "in about 2.5 s" in reply.json()["error"]
