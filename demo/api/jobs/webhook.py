"""Webhooks: a job's signed result, POSTed until accepted, to hosts that the operator allows. Follows no redirect."""

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import re
import secrets
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import httpx2

from demo.address import IPAddress, parse_address, unmap
from demo.api.openapi.reports import WayReport, WebhookAttempt, WebhookState
from demo.api.traffic import CountedTransport, Traffic
from demo.errors import BadRequest

SECRET_PREFIX: Final = "whsec_"
INBOX_PATH: Final = "/webhooks/inbox/"
INBOX_ID: Final = "[A-Za-z0-9_-]{1,64}"
BACKOFF_SECONDS: Final = (1.0, 2.0, 4.0, 8.0)  # before each further attempt
TIMEOUT_SECONDS: Final = 10.0


@dataclass(slots=True)
class Webhook:
    """Where a job's result is POSTed, and the state of its delivery."""

    url: str
    secret: str = field(default_factory=lambda: SECRET_PREFIX + base64.b64encode(secrets.token_bytes(24)).decode())
    state: Literal["waiting", "delivered", "failed"] = "waiting"
    attempts: list[WebhookAttempt] = field(default_factory=list)
    accepted: float | None = None  # `time.perf_counter()` of the receiver's response
    traffic: Traffic = field(default_factory=Traffic)  # of all attempts
    report: WayReport | None = None

    def write(self) -> WebhookState:
        """As JSON, without the secret."""
        return {"url": self.url, "state": self.state, "attempts": self.attempts, "report": self.report}


def sign(secret: str, id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers that prove the sender and time (Unix seconds) of `body`, as Standard Webhooks 1.0 specifies.

    These lines replace a dependency, the `standardwebhooks` package.
    """
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    digest = hmac.new(key, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": id, "webhook-timestamp": str(timestamp), "webhook-signature": signature}


class WebhookSender:
    """Sends to the hosts `allowed` by the operator, and to the inboxes of this server at `server_url`."""

    def __init__(self, server_url: str, allowed: Sequence[str]) -> None:
        self._server_url = server_url
        self._allowed = AllowedHosts(allowed)

    def make_webhook(self, url: str, *prefixes: str) -> Webhook:
        """A webhook for `url`. Raises BadRequest if it is not allowed.

        `prefixes` are the addresses under which the client reaches this server, and its inboxes.
        """
        for prefix in (self._server_url, *prefixes):
            if is_inbox(path := url.removeprefix(prefix)):
                return Webhook(self._server_url + path)
        self._allowed.parse(url)
        return Webhook(url)

    async def deliver(self, webhook: Webhook, id: str, body: bytes) -> None:
        """POST `body` until it is accepted, with an attempt more than BACKOFF_SECONDS has pauses."""
        transport = CountedTransport(webhook.traffic)
        async with httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, transport=transport, trust_env=False) as client:
            for pause in (0.0, *BACKOFF_SECONDS):
                await asyncio.sleep(pause)
                attempt = await self._post(client, webhook, id, body)
                webhook.attempts.append(attempt)
                if attempt["status"] is not None and 200 <= attempt["status"] < 300:
                    webhook.state, webhook.accepted = "delivered", time.perf_counter()
                    return
        webhook.state = "failed"

    async def _post(self, client: httpx2.AsyncClient, webhook: Webhook, id: str, body: bytes) -> WebhookAttempt:
        now = time.time()
        headers = {"Content-Type": "application/json", **sign(webhook.secret, id, int(now), body)}
        try:
            request = await self._build_request(client, webhook.url, headers, body)
            response = await client.send(request, stream=True, follow_redirects=False)
            await response.aclose()
        except BadRequest as error:
            return {"at": now, "status": None, "error": str(error)}
        except (httpx2.HTTPError, OSError) as error:
            return {"at": now, "status": None, "error": f"{type(error).__name__}: {error}"}
        return {"at": now, "status": response.status_code, "error": None}

    async def _build_request(
        self, client: httpx2.AsyncClient, target: str, headers: dict[str, str], body: bytes
    ) -> httpx2.Request:
        if is_inbox(target.removeprefix(self._server_url)):
            return client.build_request("POST", target, headers=headers, content=body)
        url = self._allowed.parse(target)
        # Connect to the address that was checked: the name may resolve to another one a moment later.
        connected = url.copy_with(host=str(await self._allowed.resolve(url)))
        headers["Host"] = url.netloc.decode("ascii")
        return client.build_request(
            "POST", connected, headers=headers, content=body, extensions={"sni_hostname": url.host}
        )


def is_inbox(path: str) -> bool:
    return re.fullmatch(f"{INBOX_PATH}{INBOX_ID}", path) is not None


class AllowedHosts:
    """The hosts that webhooks may be sent to, as --webhook-allow lists them: names, addresses and networks.

    A name does not allow the internal addresses that it resolves to: otherwise its owner could reach internal services.
    """

    def __init__(self, entries: Sequence[str]) -> None:
        networks = {entry: parse_network(entry) for entry in entries}
        self._networks = [network for network in networks.values() if network is not None]
        self._names = frozenset(entry.lower() for entry, network in networks.items() if network is None)

    def parse(self, url: str) -> httpx2.URL:
        """Raises BadRequest if `url` is not one of an allowed host."""
        try:
            parsed = httpx2.URL(url)
        except httpx2.InvalidURL as error:
            raise BadRequest(f"`webhook_url` is not an address ({error}).") from None
        if parsed.scheme not in ("http", "https") or not parsed.host or parsed.userinfo:
            raise BadRequest(f"`webhook_url` is {url!r}: it must be http(s)://host/path, without a user.")
        if parsed.host.lower() not in self._names and not self._is_in_networks(parsed.host):
            raise BadRequest(
                f"`webhook_url` may not point to {parsed.host}: use /webhooks/inbox/<id>, or have the operator allow "
                "it with --webhook-allow."
            )
        return parsed

    async def resolve(self, url: httpx2.URL) -> IPAddress:
        """An address of the host. Raises BadRequest if any of them is internal and not itself allowed."""
        port = url.port or {"http": 80, "https": 443}[url.scheme]
        found = await asyncio.get_running_loop().getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
        addresses = [unmap(ipaddress.ip_address(entry[4][0])) for entry in found]
        for address in addresses:
            if not address.is_global and not self._is_in_networks(str(address)):
                raise BadRequest(f"{url.host} is the internal address {address}, which is not allowed.")
        return addresses[0]

    def _is_in_networks(self, host: str) -> bool:
        address = parse_address(host)
        return address is not None and any(address in network for network in self._networks)


def parse_network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """An address or a network; None for a name."""
    try:
        return ipaddress.ip_network(entry)
    except ValueError:
        return None
