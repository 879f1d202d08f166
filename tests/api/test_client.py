"""Which client a request comes from: by its API key and address, the same on every route, and in no log."""

import logging

import httpx2
import pytest
from fastapi import FastAPI

from demo.settings import Settings
from tests.api.client import MINIMAL, WHOLE, ask
from tests.api.gathering import CountingEngine, run
from tests.api.script import AnsweringEngine, open_api
from tests.api.serving import serve_api

PATHS = [*WHOLE, ("/jobs", {"inputs": "hi"})]
HERE = "192.0.2.7"
THERE = "2001:db8::7"


def find_client(app: FastAPI, engine: AnsweringEngine, address: str, path: str = "/generate", **headers: str) -> str:
    """The client of the request that reaches the engine."""
    assert ask(app, "POST", path, address, json=dict(PATHS)[path], headers=headers).is_success
    client = engine.requests[-1].client
    assert client is not None
    return client


def test_a_client_is_the_same_on_every_route(app: FastAPI, engine: AnsweringEngine) -> None:
    assert len({find_client(app, engine, HERE, path) for path, _ in PATHS}) == 1


def test_it_is_another_from_another_address_or_with_another_key(app: FastAPI, engine: AnsweringEngine) -> None:
    plain = [find_client(app, engine, address) for address in (HERE, THERE)]
    keyed = [
        find_client(app, engine, address, authorization=f"Bearer {key}")
        for key in ("-", HERE, "hf_ada")
        for address in (HERE, THERE)
    ]
    assert len({*plain, *keyed}) == 8
    assert {client.partition("/")[2].partition(":")[0] for client in plain} == {"address"}
    assert {client.partition("/")[2].partition(":")[0] for client in keyed} == {"key"}


@pytest.mark.parametrize("header", ["Bearer hf_ada", "bearer  hf_ada", "BEARER hf_ada "])
def test_a_key_is_the_same_however_its_scheme_is_written(app: FastAPI, engine: AnsweringEngine, header: str) -> None:
    expected = find_client(app, engine, HERE, authorization="Bearer hf_ada")
    assert find_client(app, engine, HERE, authorization=header) == expected


def test_a_header_without_a_key_is_none(app: FastAPI, engine: AnsweringEngine) -> None:
    plain = find_client(app, engine, HERE)
    assert {find_client(app, engine, HERE, authorization=header) for header in ("", "Bearer", "Bearer ")} == {plain}


def test_all_choices_and_prompts_of_a_request_come_from_its_client(app: FastAPI, engine: AnsweringEngine) -> None:
    ask(app, "POST", "/v1/completions", json={"prompt": ["a", "b"], "n": 2})
    assert len({request.client for request in engine.requests[-4:]}) == 1


TRUSTED = [(("127.0.0.1",), True), (("127.0.0.0/8",), True), (("198.51.100.1",), False), ((), False)]


@pytest.mark.parametrize(("trusted", "told_apart"), TRUSTED)
def test_a_forwarded_address_counts_where_the_proxy_is_named_as_trusted(
    trusted: tuple[str, ...], told_apart: bool
) -> None:
    assert count_clients(trusted, HERE, THERE) == (2 if told_apart else 1)


def test_behind_a_trusted_proxy_a_client_cannot_choose_its_address() -> None:
    forwarded = [f"{invented}, {HERE}" for invented in ("1.1.1.1", "2.2.2.2", "127.0.0.1")]
    assert count_clients(("127.0.0.1",), *forwarded) == 1


def count_clients(trusted: tuple[str, ...], *forwarded: str) -> int:
    """How many clients there are where these are the addresses that the proxy forwards."""
    engine = AnsweringEngine()
    with serve_api(engine, Settings(port=0, trusted_proxies=trusted)) as url:
        for addresses in forwarded:
            headers = {"X-Forwarded-For": addresses}
            httpx2.post(f"{url}/generate", json=MINIMAL["/generate"], headers=headers, trust_env=False)
    assert len(engine.requests) == len(forwarded)
    return len({request.client for request in engine.requests})


def test_a_crowd_is_the_one_client_that_asked_for_it_and_shares_no_prompt() -> None:
    engine = CountingEngine(0.001)
    with serve_api(engine) as url:
        httpx2.post(f"{url}/generate", json={"inputs": "hi"}, trust_env=False)
        run(url, clients=5, limit=4)
    asked = [ticket.request for ticket in engine.tickets]
    assert len(asked) > 2
    assert len({request.client for request in asked}) == 1
    assert [request.cache_prompt for request in asked] == [True, *[False] * (len(asked) - 1)]


def test_neither_the_address_nor_the_key_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    engine = AnsweringEngine()
    client = find_client(open_api(engine, Settings(api_key="hf_ada")), engine, HERE, authorization="Bearer hf_ada")
    assert '"path": "/generate"' in caplog.text
    for secret in (HERE, "hf_ada", client):
        assert secret not in caplog.text
