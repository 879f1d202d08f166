"""What the listening socket hands down to every connection."""

import socket

from demo.api.server import UNREAD_SECONDS, Server
from demo.settings import Settings


def test_a_token_never_waits_for_the_next_one_to_share_its_packet() -> None:
    server = Server(Settings(port=0), {})
    accepted = _accept(server)
    assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    accepted.close()


def test_the_system_cuts_off_who_leaves_unread_what_it_was_sent() -> None:
    server = Server(Settings(port=0), {})
    accepted = _accept(server)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == UNREAD_SECONDS * 1000
    accepted.close()


def _accept(server: Server) -> socket.socket:
    """The server's side of a connection."""
    host, port = server.url.removeprefix("http://").split(":")
    with server._socket, socket.create_connection((host, int(port))):
        return server._socket.accept()[0]
