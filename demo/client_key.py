"""The key of a client: it tells which requests come from the same client, and nothing else about it."""

import hashlib
import json
import secrets
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["session", "key", "address"]  # a tab of the page; an API key; neither

_SECRET: Final = secrets.token_bytes(32)


def make_client_key(kind: Kind, *parts: str) -> str:
    """A key that is the same for the same kind and parts until the process ends.

    A keyed hash (RFC 7693): without its secret, an address cannot be found by hashing all addresses.
    """
    digest = hashlib.blake2b(json.dumps(parts).encode(), digest_size=16, key=_SECRET)
    return f"{kind}:{digest.hexdigest()}"
