"""The HTTP server: an address, a port, and an orderly end. Knows no page and no model."""

import logging
import os
import socket
from collections.abc import Callable, Mapping

import uvicorn
from fastapi import FastAPI

from demo.address import is_loopback
from demo.api.ending import Ending
from demo.api.middleware.allowed_hosts import choose_allowed_hosts
from demo.api.uvicorn_tuning import GRACE_SECONDS, IDLE_SECONDS, TunedUvicorn, choose_protocol
from demo.choice import Choice
from demo.errors import SettingError
from demo.settings import Settings

logger = logging.getLogger(__name__)

PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fd00::/8")
UNREAD_SECONDS = 30  # how long the system may hold bytes that a client does not read


class Server:
    """One port, taken on construction, and the app that is served there until a signal or `stop`.

    Raises SettingError where the address or port can't be had.
    """

    def __init__(self, settings: Settings, environment: Mapping[str, str] = os.environ) -> None:
        hostname = choose_hostname(settings, environment)
        logger.info("%s", hostname)
        self._socket = _listen(hostname.value, settings.port)
        hosts = choose_allowed_hosts(settings, self._socket.getsockname()[0], environment)
        logger.info("%s", hosts)
        self.allowed_hosts = hosts.value
        self._proxies = choose_proxies(settings, environment)
        self._uvicorn: TunedUvicorn | None = None
        self._stopped = False

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    @property
    def is_reached(self) -> bool:
        """Whether other machines can connect."""
        return not is_loopback(self._socket.getsockname()[0])

    @property
    def url(self) -> str:
        """The address to open in a browser on this machine."""
        hostname, port = self._socket.getsockname()[:2]
        name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(hostname, f"[{hostname}]" if ":" in hostname else hostname)
        return f"http://{name}:{port}"

    def serve(self, app: FastAPI, on_exit: Callable[[], None], ending: Ending | None = None) -> None:
        """Serve until a signal or `stop`; then `on_exit` runs, and open connections get a moment to end.

        With an `ending`, the first SIGTERM drains before.
        """
        config = uvicorn.Config(
            app,
            http=choose_protocol(),
            log_level="warning",
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=2 * GRACE_SECONDS,
            forwarded_allow_ips=list(self._proxies),
        )
        self._uvicorn = TunedUvicorn(config, on_exit, ending)
        self._uvicorn.should_exit = self._stopped
        logger.info("Listening on %s", self.url)
        self._uvicorn.run(sockets=[self._socket])

    def stop(self) -> None:
        """Ask for the end, from any thread, before or while the app is served."""
        self._stopped = True
        if self._uvicorn is not None:
            self._uvicorn.should_exit = True


def choose_hostname(settings: Settings, environment: Mapping[str, str]) -> Choice[str]:
    """The address to listen on: a Space is reached from outside its container."""
    if settings.hostname is not None:
        return Choice("hostname", settings.hostname, "as set")
    if "SPACE_ID" in environment:
        return Choice("hostname", "0.0.0.0", "on a Hugging Face Space")
    return Choice("hostname", "127.0.0.1", "this machine only; 0.0.0.0 accepts other machines")


def choose_proxies(settings: Settings, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The proxies whose X-Forwarded-For is believed. The last address in it that is none of them is the client's.

    A Space is reached through the platform's proxies alone, which have private addresses.
    """
    return settings.trusted_proxies or (PRIVATE if "SPACE_ID" in environment else ())


def _listen(hostname: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in hostname else socket.AF_INET
    try:
        listening = socket.create_server((hostname, port), family=family, backlog=2048)
    except (OSError, UnicodeError) as error:
        raise SettingError(
            f"--hostname {hostname} with --port {port} can't be listened on ({_format_reason(error)}): choose another "
            "port, 0 for any free one, or another address."
        ) from None
    # Inherited by every accepted connection. asyncio sets NODELAY only for sockets that it makes itself, and without
    # it a token waits 40 ms for the client's acknowledgement of the one before.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux: resets a connection whose client does not read
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_SECONDS * 1000)
    return listening


def _format_reason(error: Exception) -> str:
    # socket.create_server appends the address, which the sentence has already.
    text = error.strerror if isinstance(error, OSError) else None
    return (text or str(error)).partition(" (while")[0]
