"""Webhooks: one signed POST of a job's result, to addresses that the operator allowed and nowhere else.

Signed as the Standard Webhooks specification says (standard-webhooks 1.0: `webhook-id`, `webhook-timestamp`,
`webhook-signature`). No redirect is followed, and the address that was checked is the one connected to.
"""

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
from typing import Final, Literal, TypeAlias

import httpx

from demo.api.openapi.reports import WayReport, WebhookAttempt, WebhookState
from demo.api.traffic import CountedTransport, Traffic
from demo.errors import BadRequest

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

INBOX: Final = "/webhooks/inbox/"
INBOX_ID: Final = "[A-Za-z0-9_-]{1,64}"
PAUSES: Final = (1.0, 2.0, 4.0, 8.0)  # seconds before each further attempt
PATIENCE_SECONDS: Final = 10.0
SECRET_PREFIX: Final = "whsec_"


@dataclass(slots=True)
class Attempt:
    """One POST: the status it was answered with, or what kept it from being answered."""

    at: float  # seconds since the epoch
    status: int | None
    error: str | None


@dataclass(slots=True)
class Webhook:
    """Where a job's result goes, and how its delivery stands."""

    url: str
    secret: str = field(default_factory=lambda: SECRET_PREFIX + base64.b64encode(secrets.token_bytes(24)).decode())
    state: Literal["waiting", "delivered", "failed"] = "waiting"
    attempts: list[Attempt] = field(default_factory=list)
    accepted: float | None = None  # `time.perf_counter()` when the receiver had said so
    traffic: Traffic = field(default_factory=Traffic)  # of all attempts
    report: WayReport | None = None

    def write(self) -> WebhookState:
        """As JSON, without the secret."""
        attempts: list[WebhookAttempt] = [
            {"at": each.at, "status": each.status, "error": each.error} for each in self.attempts
        ]
        return {"url": self.url, "state": self.state, "attempts": attempts, "report": self.report}


class WebhookSender:
    """Knows where POSTs may go. `server_url` is where this server's own inbox is reached."""

    def __init__(self, server_url: str, allowed: Sequence[str]) -> None:
        self._server_url = server_url
        self._networks = [ipaddress.ip_network(entry) for entry in allowed if is_network(entry)]
        self._names = frozenset(entry.lower() for entry in allowed if not is_network(entry))

    def address(self, url: str, *known_as: str) -> Webhook:
        """A webhook for `url`. Raises BadRequest where nothing may be sent there.

        `known_as`: what the sender may have put before the path of an inbox, since it reaches this server there.
        """
        for base in (self._server_url, *known_as):
            if is_inbox(path := url.removeprefix(base)):
                return Webhook(self._server_url + path)
        self._parse(url)
        return Webhook(url)

    async def deliver(self, webhook: Webhook, id: str, body: bytes) -> None:
        """POST `body` until it is accepted, at most once more than there are PAUSES."""
        transport = CountedTransport(webhook.traffic)
        async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, transport=transport, trust_env=False) as client:
            for pause in (0.0, *PAUSES):
                await asyncio.sleep(pause)
                attempt = await self._post(client, webhook, id, body)
                webhook.attempts.append(attempt)
                if attempt.status is not None and 200 <= attempt.status < 300:
                    webhook.state, webhook.accepted = "delivered", time.perf_counter()
                    return
        webhook.state = "failed"

    async def _post(self, client: httpx.AsyncClient, webhook: Webhook, id: str, body: bytes) -> Attempt:
        now = time.time()
        try:
            request = await self._write(client, webhook, id, body, int(now))
            response = await client.send(request, stream=True)
            await response.aclose()
        except BadRequest as error:
            return Attempt(now, None, str(error))
        except (httpx.HTTPError, OSError) as error:
            return Attempt(now, None, f"{type(error).__name__}: {error}")
        return Attempt(now, response.status_code, None)

    async def _write(
        self, client: httpx.AsyncClient, webhook: Webhook, id: str, body: bytes, timestamp: int
    ) -> httpx.Request:
        headers = {"Content-Type": "application/json", **sign(webhook.secret, id, timestamp, body)}
        if is_inbox(webhook.url.removeprefix(self._server_url)):
            return client.build_request("POST", webhook.url, headers=headers, content=body)
        url = self._parse(webhook.url)
        address = await self._resolve(url)
        # To the very address that was checked: a name may mean another one a moment later.
        there = url.copy_with(host=str(address))
        extensions = {"sni_hostname": url.host}
        headers["Host"] = url.netloc.decode("ascii")
        return client.build_request("POST", there, headers=headers, content=body, extensions=extensions)

    def _parse(self, url: str) -> httpx.URL:
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise BadRequest(f"`webhook_url` is not an address ({error}).") from None
        if parsed.scheme not in ("http", "https") or not parsed.host or parsed.userinfo:
            raise BadRequest(f"`webhook_url` is {url!r}: it must be http(s)://host/path, without a user.")
        if parsed.host.lower() not in self._names and not self._is_in_networks(parsed.host):
            raise BadRequest(
                f"`webhook_url` may not point to {parsed.host}: use {INBOX}<id>, or have the operator allow it "
                "with --webhook-allow."
            )
        return parsed

    async def _resolve(self, url: httpx.URL) -> Address:
        """An address of the host. Raises BadRequest where any of them is internal and not allowed as such."""
        loop = asyncio.get_running_loop()
        port = url.port or {"http": 80, "https": 443}[url.scheme]
        found = await loop.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
        addresses = [unmap(ipaddress.ip_address(entry[4][0])) for entry in found]
        for address in addresses:
            if not address.is_global and not self._is_in_networks(str(address)):
                raise BadRequest(f"{url.host} is the internal address {address}, which is not allowed.")
        return addresses[0]

    def _is_in_networks(self, host: str) -> bool:
        try:
            address = unmap(ipaddress.ip_address(host))
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def is_inbox(path: str) -> bool:
    """Whether this is the path of one of this server's own inboxes."""
    return re.fullmatch(rf"{INBOX}{INBOX_ID}", path) is not None


def sign(secret: str, id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers by which a receiver knows who sent `body`, and when (Unix seconds)."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    digest = hmac.new(key, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": id, "webhook-timestamp": str(timestamp), "webhook-signature": signature}


def unmap(address: Address) -> Address:
    """The IPv4 address that an IPv6 one may only be a form of."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def is_network(entry: str) -> bool:
    """Whether an entry of --webhook-allow is an address or a range of them; else it is a name."""
    try:
        ipaddress.ip_network(entry)
    except ValueError:
        return False
    return True
