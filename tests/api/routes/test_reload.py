"""Loading a failed model again: whoever runs the server may, and nobody else."""

import asyncio

import httpx2
import pytest

from demo.api.application import create_api
from demo.engines.metered import MeteredEngine
from demo.settings import Settings
from tests.api.client import assert_refused
from tests.scripted import ScriptedEngine

KEY = "secret-key"
BEARER = {"Authorization": f"Bearer {KEY}"}


def load_again(
    settings: Settings, address: str = "127.0.0.1", headers: dict[str, str] | None = None, is_due: bool = True
) -> tuple[httpx2.Response, int]:
    """The reply to a client at `address`, and how many attempts to load the model have begun."""
    begun = []

    def reload() -> bool:
        if is_due:
            begun.append(1)
        return is_due

    async def request() -> httpx2.Response:
        api = create_api(MeteredEngine(ScriptedEngine()), settings, reload=reload)
        transport = httpx2.ASGITransport(api, client=(address, 1234))
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
            return await client.post("/reload")

    return asyncio.run(request()), len(begun)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_without_a_key_a_client_on_this_machine_may(address: str) -> None:
    reply, begun = load_again(Settings(), address)
    assert (reply.status_code, reply.json(), begun) == (202, {"status": "loading"}, 1)


@pytest.mark.parametrize("address", ["192.0.2.7", "10.0.0.1", "2001:db8::1", "unix", ""])
def test_a_client_elsewhere_may_not(address: str) -> None:
    reply, begun = load_again(Settings(), address)
    assert_refused(reply, "/reload", 403, "forbidden", "Only whoever runs this server")
    assert not begun


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP", "X-Forwarded-Host"])
def test_a_client_behind_a_proxy_on_this_machine_may_not(header: str) -> None:
    reply, begun = load_again(Settings(), headers={header: "127.0.0.1"})
    assert (reply.status_code, begun) == (403, 0)


def test_another_sites_page_may_not() -> None:
    assert load_again(Settings(), headers={"Sec-Fetch-Site": "cross-site"})[0].status_code == 403


@pytest.mark.parametrize(("headers", "status"), [(BEARER, 202), ({}, 403), ({"Authorization": "Bearer no"}, 403)])
def test_with_a_key_whoever_sends_it_may_and_nobody_else(headers: dict[str, str], status: int) -> None:
    for address in ("192.0.2.7", "127.0.0.1"):
        assert load_again(Settings(api_key=KEY), address, headers)[0].status_code == status


def test_where_the_model_is_ready_or_being_loaded_there_is_nothing_to_do() -> None:
    assert_refused(load_again(Settings(), is_due=False)[0], "/reload", 409, "conflict", "nothing to load again")
