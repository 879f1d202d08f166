"""The key of a client: which requests come from the same one, and nothing else of it."""

import hashlib
import json
import secrets
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["session", "key", "address"]  # a tab of the page; an API key; neither

_SECRET: Final = secrets.token_bytes(32)


def make_client_key(kind: Kind, *parts: str) -> str:
    """The same for the same kind and parts, as long as the process lasts.

    A keyed hash (RFC 7693): without the key, nobody finds the address by trying all of them.
    """
    digest = hashlib.blake2b(json.dumps(parts).encode(), digest_size=16, key=_SECRET)
    return f"{kind}:{digest.hexdigest()}"
