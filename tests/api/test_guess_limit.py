"""Guesses of a key or a password are few for each address, and cost nobody else anything."""

import logging
from collections.abc import Iterator
from contextlib import nullcontext

import httpx2
import pytest
from fastapi import FastAPI

from demo.api import guess_limit
from demo.api.guess_limit import MAX_ADDRESSES, MAX_GUESSES, WINDOW_SECONDS, GuessLimit, TooManyGuesses
from demo.settings import Settings
from tests.api.client import assert_refused
from tests.api.script import AnsweringEngine
from tests.api.serving import connect_from, serve_api

KEY, PASSWORD = "secret-key", "pass-word"
BODY = {"inputs": "hi", "parameters": {"max_new_tokens": 1}}
PROXY = "127.0.0.9"


def use_up(guesses: GuessLimit, address: str) -> None:
    for _ in range(MAX_GUESSES):
        assert not guesses.judge(address, is_right=False)


def test_after_ten_wrong_guesses_of_an_address_not_even_the_right_one_is_told_until_a_minute_has_passed() -> None:
    now = [100.0]
    guesses = GuessLimit(trusts_known=True, clock=lambda: now[0])
    use_up(guesses, "192.0.2.7")
    now[0] += WINDOW_SECONDS / 2
    for is_right in (False, True):
        with pytest.raises(TooManyGuesses, match="try again in 30 s") as refusal:
            guesses.judge("192.0.2.7", is_right)
        assert refusal.value.retry_after == WINDOW_SECONDS / 2
    assert guesses.judge("192.0.2.8", is_right=True)
    now[0] += WINDOW_SECONDS / 2
    assert guesses.judge("192.0.2.7", is_right=True)


def test_guesses_from_one_network_of_ipv6_are_those_of_one_address() -> None:
    guesses = GuessLimit(trusts_known=True)
    for number in range(MAX_GUESSES):
        guesses.judge(f"2001:db8::{number}", is_right=False)
    with pytest.raises(TooManyGuesses):
        guesses.judge("2001:db8::ffff", is_right=False)


@pytest.mark.parametrize("trusts_known", [True, False])
def test_a_program_that_has_given_the_key_before_is_not_locked_out_by_a_neighbour(trusts_known: bool) -> None:
    guesses = GuessLimit(trusts_known)
    assert guesses.judge("192.0.2.7", is_right=True)
    use_up(guesses, "192.0.2.7")
    with nullcontext() if trusts_known else pytest.raises(TooManyGuesses):
        assert guesses.judge("192.0.2.7", is_right=True)
    with pytest.raises(TooManyGuesses):
        guesses.judge("192.0.2.7", is_right=False)


def test_right_ones_are_never_counted() -> None:
    guesses = GuessLimit(trusts_known=False)
    assert all(guesses.judge("192.0.2.7", is_right=True) for _ in range(10 * MAX_GUESSES))


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guess_limit, "MAX_ADDRESSES", 8)
    guesses = GuessLimit(trusts_known=True)
    for number in range(100):
        guesses.judge(f"192.0.2.{number}", is_right=number % 2 == 0)
    assert (len(guesses._wrong), len(guesses._known)) == (8, 8)
    assert MAX_ADDRESSES < 10_000


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    settings = Settings(port=0, api_key=KEY, page_password=PASSWORD, trusted_proxies=(PROXY,))
    with serve_api(AnsweringEngine(), settings, lambda engine: FastAPI()) as url:
        yield url


def guess(client: httpx2.Client, key: str, **headers: str) -> httpx2.Response:
    return client.post("/generate", json=BODY, headers={"Authorization": f"Bearer {key}", **headers})


def test_keys_over_connections(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "demo.guesses")
    with connect_from("127.0.0.2", url) as program, connect_from("127.0.0.3", url) as guesser:
        assert guess(program, KEY).status_code == 200
        for client in (program, guesser):
            assert [guess(client, f"no-{number}").status_code for number in range(12)] == [401] * 10 + [429] * 2
        refusal = guess(guesser, KEY)
        assert_refused(refusal, "/generate", 429, "too_many_guesses", "Too many wrong keys or passwords")
        assert 50 < int(refusal.headers["retry-after"]) <= 60
        assert guess(program, KEY).status_code == 200
        assert guesser.post("/reload", headers={"Authorization": f"Bearer {KEY}"}).status_code == 429
        assert guesser.post("/generate", json=BODY).status_code == 401  # no guess
    with connect_from("127.0.0.4", url) as other:
        assert guess(other, KEY).status_code == 200
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "10 wrong keys or passwords came from 127.0.0.2",
        "10 wrong keys or passwords came from 127.0.0.3",
    ]


def test_passwords_over_connections_and_who_has_a_session_stays(url: str) -> None:
    with connect_from("127.0.0.5", url) as visitor, connect_from("127.0.0.5", url) as guesser:
        assert visitor.post("/login", json={"password": PASSWORD}).status_code == 204
        statuses = [guesser.post("/login", json={"password": f"no-{number}"}).status_code for number in range(12)]
        assert statuses == [401] * 10 + [429] * 2
        refusal = guesser.post("/login", json={"password": PASSWORD})
        assert (refusal.status_code, refusal.json()["error_type"]) == (429, "too_many_guesses")
        assert visitor.post("/generate", json=BODY).status_code == 200


def test_through_a_trusted_proxy_the_forwarded_address_counts_and_through_another_the_proxys(url: str) -> None:
    with connect_from(PROXY, url) as trusted, connect_from("127.0.0.6", url) as another:
        for proxy, last in ((trusted, [401, 200]), (another, [429, 429])):
            statuses = [guess(proxy, "no", **{"X-Forwarded-For": "192.0.2.1"}).status_code for _ in range(11)]
            assert statuses == [401] * 10 + [429]
            others = [guess(proxy, key, **{"X-Forwarded-For": "192.0.2.2"}).status_code for key in ("no", KEY)]
            assert others == last
