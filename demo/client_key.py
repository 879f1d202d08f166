"""The key of a client: it tells which requests come from the same client and the same address, and nothing else."""

import hashlib
import json
import secrets
from typing import Final, Literal, TypeAlias

from demo.address import find_network

Kind: TypeAlias = Literal["session", "key", "address"]  # a tab of the page; an API key; neither

_SECRET: Final = secrets.token_bytes(32)


def make_client_key(address: str, kind: Kind, name: str = "") -> str:
    """A key that is the same for the same address, kind and name until the process ends.

    A keyed hash (RFC 7693): without its secret, an address cannot be found by hashing all addresses.
    """
    return f"{_hash(find_network(address))}/{kind}:{_hash(address, name)}"


def find_address_key(client: str) -> str:
    """The part of a client's key that all clients of one network share. It alone is not the client's to choose."""
    return client.partition("/")[0]


def _hash(*parts: str) -> str:
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16, key=_SECRET).hexdigest()
