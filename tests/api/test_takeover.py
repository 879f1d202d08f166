"""One client asks for all it can: over real connections, every other is answered, and the refusal says why."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from demo.engine import Load
from demo.engines.fair_engine import FairEngine
from demo.settings import Settings
from tests.api.serving import serve_api
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


def connect(address: str, url: str) -> httpx2.Client:
    """A client at an address of the loopback network."""
    return httpx2.Client(transport=httpx2.HTTPTransport(local_address=address), base_url=url, trust_env=False)


def take_all(client: httpx2.Client, **headers: Any) -> tuple[list[str], httpx2.Response]:
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
def test_whoever_takes_all_places_leaves_some_on_every_route(
    url: str, headers: dict[str, str], most: int, sentence: str
) -> None:
    with connect(GREEDY, url) as greedy, connect(OTHER, url) as other:
        jobs, refusal = take_all(greedy, **headers)
        assert len(jobs) == most
        assert (refusal.status_code, refusal.headers["retry-after"]) == (429, "1")
        assert refusal.json()["error_type"] == "overloaded"
        assert sentence in refusal.json()["error"]
        kept = [other.post("/jobs", json=JOB) for _ in range(3)]
        assert [reply.status_code for reply in kept] == [202] * 3
        for client, ids in ((greedy, jobs), (other, [reply.json()["id"] for reply in kept])):
            for id in ids:
                assert client.delete(f"/jobs/{id}").json()["state"] == "cancelled"


@pytest.mark.parametrize("path", ["/generate", "/generate_stream", "/", "/v1/chat/completions", "/v1/completions"])
def test_the_share_of_a_client_is_one_for_all_routes(url: str, path: str) -> None:
    openai = {"messages": [{"role": "user", "content": "hi"}]} if "chat" in path else {"prompt": "hi"}
    body = openai if path.startswith("/v1") else {"inputs": "hi"}
    with connect(GREEDY, url) as greedy:
        jobs, _ = take_all(greedy)
        reply = greedy.post(path, json=body)
        assert (reply.status_code, reply.headers["retry-after"]) == (429, "1")
        assert reply.json()["error_type"] == "overloaded"
        for id in jobs:
            greedy.delete(f"/jobs/{id}")
