"""The names under which this server answers, against DNS rebinding. Pure ASGI.

A website may let its own name point to 127.0.0.1: then a visitor's browser takes this server for that website. What
gives it away is the Host header, which no script can set. X-Forwarded-Host is never read, since scripts can set it.

Starlette's TrustedHostMiddleware replies 400 in plain text, which the API's clients cannot parse, and knows neither the
address that a connection came in on nor names that end with a dot.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from demo.address import is_loopback, parse_address
from demo.api.dialects.errors import Refused, respond
from demo.api.middleware.root_path import find_route_path
from demo.choice import Choice
from demo.settings import Settings

ANY: Final = ("*",)
HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:@/?#\\\s]+)(:[0-9]*)?", re.IGNORECASE)


class AllowedHostsMiddleware:
    """Replies 421 to a Host that is neither one of `hosts` nor the address that the connection came in on.

    In JSON below `paths`, the API's; in plain text elsewhere, where a person reads it.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str], paths: Sequence[str]) -> None:
        self._app = app
        self._hosts = tuple(host.strip("[]").lower() for host in hosts)
        self._paths = frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or self._is_allowed(scope):
            await self._app(scope, receive, send)
        else:
            await self._refuse(scope)(scope, receive, send)

    def _is_allowed(self, scope: Scope) -> bool:
        if "*" in self._hosts:
            return True
        host = parse_host(Headers(scope=scope).get("host", ""))
        return host is not None and (is_own_address(host, scope) or any(fits(host, allowed) for allowed in self._hosts))

    def _refuse(self, scope: Scope) -> Response:
        host = parse_host(Headers(scope=scope).get("host", ""))
        named = f"This server does not answer for {host}" if host else "This request does not say for which host it is"
        own, port = scope.get("server") or ("localhost", None)
        address = f"http://{f'[{own}]' if ':' in own else own}{f':{port}' if port else ''}"
        sentence = f"{named}: use {address}, or start the server with --allowed-hosts and the name."
        path = find_route_path(scope)
        if scope.get("method") != "POST" and (path == "/" or "/" + path.split("/")[1] not in self._paths):
            return PlainTextResponse(sentence, 421, {"X-Content-Type-Options": "nosniff"})
        return respond(path, Refused("misdirected_request", sentence))


def choose_allowed_hosts(settings: Settings, address: str, environment: Mapping[str, str]) -> Choice[tuple[str, ...]]:
    """The names for a server that listens on `address`; its own addresses are allowed without being named."""
    hostname = settings.hostname if settings.hostname not in ("0.0.0.0", "::") else None
    named = [hostname, environment.get("SPACE_HOST"), *settings.allowed_hosts]
    hosts = tuple(dict.fromkeys(["localhost", *filter(None, named)]))
    if "*" in settings.allowed_hosts:
        return Choice("allowed_hosts", ANY, "as set")
    if settings.allowed_hosts:
        return Choice("allowed_hosts", hosts, "as set, and the server's own address")
    if is_loopback(address):
        return Choice("allowed_hosts", hosts, "only this machine can connect; --allowed-hosts adds names")
    return Choice("allowed_hosts", ANY, "other machines can connect; --allowed-hosts limits the names")


def parse_host(header: str) -> str | None:
    """The name or address in a Host header, in small letters, without port, brackets or the root's dot; else None."""
    match = HOST.fullmatch(header)
    if match is None or not header.isascii():
        return None
    name = match[1].strip("[]").lower()
    return name.removesuffix(".") or None


def fits(host: str, allowed: str) -> bool:
    """Whether `host` is `allowed`, or below it where that is *.name."""
    return host.endswith(allowed[1:]) if allowed.startswith("*.") else host == allowed


def is_own_address(host: str, scope: Scope) -> bool:
    """Whether `host` is an address of this machine's loopback, or the address of the server's end of the connection."""
    own = (scope.get("server") or ("",))[0]
    address = parse_address(host)
    return address is not None and (address.is_loopback or address == parse_address(own))
