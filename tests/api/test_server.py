"""The options that every connection inherits from the listening socket, and the names of uvicorn that are used."""

import logging
import socket

import pytest
from uvicorn.protocols.http.h11_impl import H11Protocol

from demo.api import uvicorn_tuning
from demo.api.server import UNREAD_SECONDS, Server
from demo.settings import Settings


def test_a_token_does_not_wait_for_the_next_one_and_a_client_that_does_not_read_is_reset() -> None:
    server = Server(Settings(port=0), {})
    host, port = server.url.removeprefix("http://").split(":")
    with server._socket, socket.create_connection((host, int(port))):
        accepted = server._socket.accept()[0]
    with accepted:
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == UNREAD_SECONDS * 1000


def test_the_installed_uvicorn_has_every_name_that_is_used() -> None:
    assert uvicorn_tuning.list_missing_names() == []
    assert uvicorn_tuning.choose_protocol() is uvicorn_tuning.Connection


def test_a_name_that_uvicorn_lacks_is_logged_and_its_own_protocol_serves(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(uvicorn_tuning, "USED_NAMES", {H11Protocol: ("conn", "renamed", "handle_events")})
    with caplog.at_level(logging.WARNING):
        assert uvicorn_tuning.choose_protocol() == "h11"
    assert "has no H11Protocol.renamed: connections have no time limits" in caplog.text
