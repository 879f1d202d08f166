"""--allowed-hosts against the program itself: a website whose name was made to point here gets nothing."""

import os
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.test_app import read_until, start, url_in

ALLOWED, REFUSED = 200, 421


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The program's port; one process for all inputs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DEMO_", "SPACE_"))}
    variables = kept | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path_factory.mktemp("home"))}
    arguments = ["--port", "0", "--replay-only", "--no-ui", "--allowed-hosts", "demo.example,*.lan"]
    with start(arguments, variables) as process:
        yield urlsplit(url_in(read_until(process, "Listening on"))).port or 0


def ask(port: int, target: str, *hosts: str) -> int:
    """The status of a request with these Host headers."""
    head = "".join(
        [f"GET {target} HTTP/1.1\r\n", *(f"Host: {host}\r\n" for host in hosts), "Connection: close\r\n\r\n"]
    )
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(head.encode())
        return int(connection.makefile("rb").readline().split()[1])


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", ALLOWED),
        ("localhost:{port}", ALLOWED),
        ("127.0.0.1:{port}", ALLOWED),
        ("[::1]:{port}", ALLOWED),
        ("demo.example", ALLOWED),
        ("printer.lan", ALLOWED),
        ("rebound.example:{port}", REFUSED),
        ("localhost.rebound.example", REFUSED),
        ("demo.example.rebound.example", REFUSED),
        ("[2001:db8::1]", REFUSED),
        ("lan", REFUSED),
    ],
)
def test_only_own_and_allowed_names_are_answered(port: int, host: str, status: int) -> None:
    assert ask(port, "/health", host.format(port=port)) == status


def test_of_an_absolute_target_its_own_host_counts_and_not_the_header(port: int) -> None:
    assert ask(port, f"http://localhost:{port}/health", "rebound.example") == ALLOWED
    assert ask(port, f"http://rebound.example:{port}/health", "localhost") == REFUSED


@pytest.mark.parametrize("hosts", [(), ("",), ("localhost", "rebound.example"), ("rebound.example", "localhost")])
def test_a_request_that_names_no_host_or_two_is_not_answered(port: int, hosts: tuple[str, ...]) -> None:
    assert ask(port, "/health", *hosts) in (400, REFUSED)
