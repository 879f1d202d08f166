"""Addresses of clients and servers, given as text.

An IPv4 address that is written as IPv6, as a socket of both gives it, is that IPv4 address.
"""

import ipaddress
from typing import Any, TypeAlias

IPAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


def read_address(request: Any) -> str:
    """The address of an HTTP request's client, Starlette's or Gradio's; empty where it has none, as on a Unix socket.

    It is that of the connection, or the forwarded one of a proxy that --trusted-proxies names.
    """
    return str(request.client.host) if request.client else ""


def read_network(request: Any) -> str:
    """The network that a request comes from: what its client can't choose of its address."""
    return find_network(read_address(request))


def parse_address(text: str) -> IPAddress | None:
    """The address, or None for what is none: of a Unix socket, or what a proxy calls its client."""
    try:
        return unmap(ipaddress.ip_address(text))
    except ValueError:
        return None


def unmap(address: IPAddress) -> IPAddress:
    """The IPv4 address of an IPv4-mapped IPv6 address (RFC 4291); any other one unchanged."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def is_loopback(text: str) -> bool:
    """Whether it is an address that this machine alone can connect to."""
    address = parse_address(text)
    return address is not None and address.is_loopback


def find_network(text: str) -> str:
    """The part of an address that its client cannot choose: of IPv6, the 64 bits of its network (RFC 4291)."""
    address = parse_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return text if address is None else str(address)
