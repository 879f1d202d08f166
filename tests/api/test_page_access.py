"""A key guards the page too: what it asks its visitors for, what a session may do, and who may load a model again."""

import re

import httpx2
import pytest
from fastapi import FastAPI
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from demo.access import describe_access, describe_public, may_operate_page, read_access
from demo.api.application import create_api
from demo.engines.metered import MeteredEngine
from demo.errors import SettingError
from demo.settings import Settings
from tests.api.client import ask, assert_refused
from tests.api.script import AnsweringEngine
from tests.scripted import ScriptedEngine

BODY = {"inputs": "Hello", "parameters": {"max_new_tokens": 1}}
KEY, PASSWORD = "secret-key", "pass-word"
BEARER = {"Authorization": f"Bearer {KEY}"}


def open_browser(settings: Settings) -> TestClient:
    """A client that keeps cookies, in front of the API and of a page of one sentence, over HTTPS."""
    page = FastAPI()
    page.add_route("/", lambda request: PlainTextResponse("the page"))
    page.add_route("/gradio_api/queue/join", lambda request: PlainTextResponse("joined"), methods=["POST"])
    return TestClient(create_api(MeteredEngine(AnsweringEngine()), settings, page), base_url="https://test")


def generate(browser: TestClient, **headers: str) -> int:
    return browser.post("/generate", json=BODY, headers=headers).status_code


@pytest.mark.parametrize("settings", [Settings(api_key=KEY), Settings(page_password=KEY)], ids=["key", "password"])
def test_a_key_or_a_password_alone_guards_page_and_api(settings: Settings) -> None:
    client = open_browser(settings)
    opened = client.get("/")
    assert opened.status_code == 401
    assert "password" in opened.text
    assert client.post("/gradio_api/queue/join").status_code == 401
    assert generate(client) == 401
    assert generate(client, Authorization=f"Bearer {KEY}") == 200


def test_who_enters_the_password_may_use_the_page_and_its_stations() -> None:
    client = open_browser(Settings(api_key=KEY, page_password=PASSWORD))
    assert client.post("/login", json={"password": KEY}).status_code == 401
    assert client.post("/login", json={"password": PASSWORD}).status_code == 204
    assert client.get("/").text == "the page"
    assert client.post("/gradio_api/queue/join").status_code == 200
    assert generate(client) == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_cannot_use_a_visitors_session(site: str) -> None:
    client = open_browser(Settings(api_key=KEY))
    client.post("/login", json={"password": KEY})
    assert generate(client, **{"Sec-Fetch-Site": "same-origin"}) == 200
    assert generate(client, **{"Sec-Fetch-Site": site}) == 401


def test_a_session_that_was_made_up_or_is_of_another_server_is_none() -> None:
    first, second = open_browser(Settings(api_key=KEY)), open_browser(Settings(api_key=KEY))
    first.post("/login", json={"password": KEY})
    second.cookies = first.cookies
    assert generate(second) == 401
    second.post("/login", json={"password": KEY})
    made_up = {name: re.sub(r"^\d", "9", value) for name, value in second.cookies.items()}
    second.cookies = httpx2.Cookies(made_up)
    assert generate(second) == 401


def test_an_open_page_gives_its_visitors_a_session_and_programs_still_need_the_key() -> None:
    client = open_browser(Settings(api_key=KEY, open_page=True))
    assert generate(client) == 401
    assert client.get("/").text == "the page"
    assert generate(client) == 200


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        (Settings(api_key=KEY), 409),  # the page asked for the key: there is only nothing to load
        (Settings(api_key=KEY, page_password=PASSWORD), 403),
        (Settings(api_key=KEY, open_page=True), 403),
    ],
)
def test_a_session_loads_the_model_again_only_where_it_was_got_by_the_key(settings: Settings, status: int) -> None:
    client = open_browser(settings)
    assert client.post("/reload").status_code == 403
    client.post("/login", json={"password": settings.page_password or KEY})
    client.get("/")
    assert client.post("/reload").status_code == status


def test_without_a_key_everything_is_open() -> None:
    client = open_browser(Settings())
    assert client.get("/").text == "the page"
    assert generate(client) == 200
    assert not client.cookies


def test_the_choice_is_named_at_the_start() -> None:
    assert str(describe_access(Settings())).startswith("page=open (")
    assert str(describe_access(Settings(api_key=KEY))).startswith("page=asks for the API key (")
    assert str(describe_access(Settings(api_key=KEY, open_page=True))).startswith("page=open (--open-page")
    assert str(describe_access(Settings(page_password=PASSWORD))).startswith("page=asks for a password (")
    assert KEY not in str(describe_access(Settings(api_key=KEY)))
    assert read_access(Settings(page_password=PASSWORD)).api_key == PASSWORD


@pytest.mark.parametrize(
    ("settings", "is_reached", "told"),
    [
        (
            Settings(),
            False,
            "public=no (only this machine can connect; at most 64 requests at once, 32 of them from one client, ",
        ),
        (Settings(max_new_tokens=99), True, "public=everyone may generate (at most 64 requests at once, "),
        (Settings(api_key=KEY), True, "public=who has the key or the password may generate (at most 64 "),
        (Settings(api_key=KEY, open_page=True), True, "public=who has the key or the password may generate; everyone "),
    ],
)
def test_the_start_says_what_the_world_may_do(settings: Settings, is_reached: bool, told: str) -> None:
    line = str(describe_public(settings, is_reached))
    assert line.startswith(told)
    assert ("99 tokens" in line) == (settings.max_new_tokens == 99)


def test_an_open_page_with_a_password_is_refused() -> None:
    with pytest.raises(SettingError, match="exclude each other"):
        Settings(open_page=True, page_password=PASSWORD)


@pytest.mark.parametrize(
    ("settings", "here", "elsewhere"),
    [
        (Settings(), True, False),
        (Settings(api_key=KEY), True, True),  # the page has asked for the key
        (Settings(page_password=PASSWORD), True, True),  # which is the key too
        (Settings(api_key=KEY, page_password=PASSWORD), False, False),
        (Settings(api_key=KEY, open_page=True), False, False),
    ],
)
def test_a_visitor_may_operate_where_it_has_given_the_key_or_is_on_this_machine(
    settings: Settings, here: bool, elsewhere: bool
) -> None:
    access = read_access(settings)
    assert may_operate_page(access, "127.0.0.1", ["host"]) == here
    assert may_operate_page(access, "192.0.2.7", ["host"]) == elsewhere
    if not settings.api_key and not settings.page_password:
        assert not may_operate_page(access, "127.0.0.1", ["Host", "X-Forwarded-For"])


def load_again(
    settings: Settings, address: str = "127.0.0.1", headers: dict[str, str] | None = None, is_due: bool = True
) -> tuple[httpx2.Response, int]:
    """The reply to a client at `address`, and how many attempts to load the model have begun."""
    begun = []

    def reload() -> bool:
        if is_due:
            begun.append(1)
        return is_due

    api = create_api(MeteredEngine(ScriptedEngine()), settings, reload=reload)
    return ask(api, "POST", "/reload", address, headers=headers), len(begun)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_without_a_key_a_client_on_this_machine_may_load_the_model_again(address: str) -> None:
    reply, begun = load_again(Settings(), address)
    assert (reply.status_code, reply.json(), begun) == (202, {"status": "loading"}, 1)


@pytest.mark.parametrize("address", ["192.0.2.7", "10.0.0.1", "2001:db8::1", "unix", ""])
def test_a_client_elsewhere_may_not_load_the_model_again(address: str) -> None:
    reply, begun = load_again(Settings(), address)
    assert_refused(reply, "/reload", 403, "forbidden", "Only whoever runs this server")
    assert not begun


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP", "X-Forwarded-Host"])
def test_a_client_behind_a_proxy_on_this_machine_may_not_load_the_model_again(header: str) -> None:
    reply, begun = load_again(Settings(), headers={header: "127.0.0.1"})
    assert (reply.status_code, begun) == (403, 0)


def test_another_sites_page_may_not_load_the_model_again() -> None:
    assert load_again(Settings(), headers={"Sec-Fetch-Site": "cross-site"})[0].status_code == 403


@pytest.mark.parametrize(("headers", "status"), [(BEARER, 202), ({}, 403), ({"Authorization": "Bearer no"}, 403)])
def test_with_a_key_whoever_sends_it_may_load_the_model_again_and_nobody_else(
    headers: dict[str, str], status: int
) -> None:
    for address in ("192.0.2.7", "127.0.0.1"):
        assert load_again(Settings(api_key=KEY), address, headers)[0].status_code == status


def test_where_the_model_is_ready_or_being_loaded_there_is_nothing_to_do() -> None:
    assert_refused(load_again(Settings(), is_due=False)[0], "/reload", 409, "conflict", "nothing to load again")
