"""Only requests to this server's own names are answered, where only this machine can connect or names are given."""

import pytest

from demo.api.application import create_api
from demo.api.middleware.allowed_hosts import ANY, choose_allowed_hosts, fits, parse_host
from demo.engines.metered import MeteredEngine
from demo.settings import Settings
from tests.api import client
from tests.scripted import ScriptedEngine


def choose(address: str, *names: str, **environment: str) -> tuple[str, ...]:
    return tuple(choose_allowed_hosts(Settings(allowed_hosts=names), address, environment).value)


def ask(hosts: tuple[str, ...], host: str, path: str = "/info") -> tuple[int, str]:
    """The status and the body of a request that names `host`."""
    app = create_api(MeteredEngine(ScriptedEngine()), Settings(), hosts=hosts)
    reply = client.ask(app, "GET", path, headers={"Host": host})
    return reply.status_code, reply.text


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:7860", "127.0.0.1:1", "[::1]:7860", "localhost.", "127.9.9.9"]
)
def test_the_own_names_of_a_server_of_this_machine_are_answered(host: str) -> None:
    assert ask(choose("127.0.0.1"), host)[0] == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.a.example", "127.0.0.1.a:7860", "10.0.0.1", "[2001:db8::1]", "", "a b", "a@localhost"],
)
def test_a_name_that_was_rebound_to_this_machine_is_refused_in_a_sentence(host: str) -> None:
    status, body = ask(choose("127.0.0.1"), host)
    assert status == 421
    assert "--allowed-hosts" in body


def test_the_refusal_has_the_shape_of_its_routes_errors() -> None:
    assert '"error_type":"misdirected_request"' in ask(choose("127.0.0.1"), "evil.example")[1].replace(" ", "")
    assert '"type"' in ask(choose("127.0.0.1"), "evil.example", "/v1/models")[1]


def test_a_server_that_others_reach_answers_any_name_unless_names_are_given() -> None:
    assert choose("0.0.0.0") == tuple(ANY)
    assert ask(choose("0.0.0.0", "demo.example"), "other.example")[0] == 421
    for host in ("demo.example", "demo.example:443", "127.0.0.1:7860"):
        assert ask(choose("0.0.0.0", "demo.example"), host)[0] == 200


def test_any_name_can_be_allowed_on_a_server_of_this_machine() -> None:
    assert ask(choose("127.0.0.1", "*"), "evil.example")[0] == 200


def test_a_star_stands_for_what_is_below_a_name_and_not_for_the_name() -> None:
    assert fits("a.b.example", "*.example")
    assert not fits("example", "*.example")
    assert not fits("badexample", "*.example")


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("A.example:80", "a.example"),
        ("[::1]", "::1"),
        ("a.example.", "a.example"),
        ("a:b", None),
        ("a/b", None),
        ("", None),
    ],
)
def test_a_host_is_read_without_its_port(header: str, host: str | None) -> None:
    assert parse_host(header) == host
