"""The hosts that webhooks may be sent to, as --webhook-allow lists them: names, addresses and networks.

A name does not allow the internal addresses that it resolves to: otherwise its owner could reach internal services.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from typing import TypeAlias

import httpx2

from demo.address import IPAddress, parse_address, unmap
from demo.errors import BadRequest

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


class AllowedHosts:
    """Checks a URL, and the addresses of its host."""

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


def parse_network(entry: str) -> Network | None:
    """An address or a network; None for a name."""
    try:
        return ipaddress.ip_network(entry)
    except ValueError:
        return None
