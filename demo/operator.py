"""Who runs this server, and may have its model loaded again. Knows no route; of HTTP, an address and headers' names."""

from collections.abc import Iterable
from typing import Final

from demo.access import Access
from demo.address import is_loopback

FORWARDING: Final = {"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"}


def is_operator(access: Access, has_key: bool, address: str, headers: Iterable[str]) -> bool:
    """Whoever has the API key. Where there is none, a client on this machine itself, without a proxy between."""
    if access.api_key is not None:
        return has_key
    return is_loopback(address) and not FORWARDING.intersection(name.lower() for name in headers)


def may_operate_page(access: Access, address: str, headers: Iterable[str]) -> bool:
    """The same for a visitor of the page, who has given the API key where that is what the page asks for."""
    return is_operator(access, access.password == access.api_key, address, headers)
