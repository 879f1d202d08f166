"""The key of a client: it tells which requests come from the same client and the same address, and nothing else."""

import hashlib
import ipaddress
import json
import secrets
from typing import Any, Final, Literal, TypeAlias

Kind: TypeAlias = Literal["session", "key", "address"]  # a tab of the page; an API key; neither

_SECRET: Final = secrets.token_bytes(32)


def make_client_key(address: str, kind: Kind, name: str = "") -> str:
    """A key that is the same for the same address, kind and name until the process ends.

    A keyed hash (RFC 7693): without its secret, an address cannot be found by hashing all addresses.
    """
    return f"{_hash(find_network(address))}/{kind}:{_hash(address, name)}"


def read_address(request: Any) -> str:
    """The address of an HTTP request's client, Starlette's or Gradio's; empty where it has none, as on a Unix socket.

    It is that of the connection, or the forwarded one of a proxy that --trusted-proxies names.
    """
    return str(request.client.host) if request.client else ""


def find_network(address: str) -> str:
    """The part of an address that its client cannot choose: of IPv6, the 64 bits of its network (RFC 4291).

    An IPv4 address that is written as IPv6, as a socket of both gives it, is that IPv4 address.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address  # of a unix socket, or what a proxy calls its client
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is None:
        return str(ipaddress.ip_network((int(ip) >> 64 << 64, 64)))
    return str(getattr(ip, "ipv4_mapped", None) or ip)


def find_address_key(client: str) -> str:
    """The part of a client's key that all clients of one network share. It alone is not the client's to choose."""
    return client.partition("/")[0]


def _hash(*parts: str) -> str:
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16, key=_SECRET).hexdigest()
