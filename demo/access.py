"""Who may generate: what a program has to send, and what a visitor of the page has to know; and who may operate.

Knows no route; of HTTP, headers' names.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from demo.address import is_loopback
from demo.choice import Choice
from demo.settings import DEFAULT_MAX_TOTAL_TOKENS, Settings
from demo.shared_limit import SharedLimit

FORWARDING: Final = {"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"}


@dataclass(frozen=True, slots=True)
class Access:
    """`api_key`: what programs send; `password`: what the page asks its visitors for. None: nothing is required."""

    api_key: str | None
    password: str | None


def read_access(settings: Settings) -> Access:
    """A key or a password alone guards both, the API and the page, so that neither is open by oversight."""
    api_key = settings.api_key or settings.page_password
    return Access(api_key, None if settings.open_page else settings.page_password or api_key)


def describe_public(settings: Settings, is_reached: bool) -> Choice[str]:
    """What the world may do here; `is_reached` by other machines."""
    limit, longest = settings.max_concurrent_requests, f"{settings.max_new_tokens} tokens"
    if settings.max_new_tokens is None:
        longest = f"{settings.max_total_tokens or DEFAULT_MAX_TOTAL_TOKENS} tokens with the prompt"
    most = SharedLimit(limit).count_most()
    terms = f"at most {limit} requests at once, {most} of them from one client, each of at most {longest}"
    if not is_reached:
        return Choice("public", "no", f"only this machine can connect; {terms}")
    if read_access(settings).api_key is None:
        return Choice("public", "everyone may generate", terms)
    page = "; everyone on the page" if settings.open_page else ""
    return Choice("public", f"who has the key or the password may generate{page}", terms)


def describe_access(settings: Settings) -> Choice[str]:
    """How the page is guarded, and by which settings."""
    if settings.page_password:
        both = "" if settings.api_key else ", which is also the key of the API, since there is no --api-key"
        return Choice("page", "asks for a password", f"--page-password{both}")
    if settings.api_key and settings.open_page:
        return Choice("page", "open", "--open-page: whoever opens it may generate there; programs need the API key")
    if settings.api_key:
        reason = "--api-key; --page-password gives the page another one, --open-page none"
        return Choice("page", "asks for the API key", reason)
    return Choice("page", "open", "--api-key or --page-password guards it and the API")


def is_operator(access: Access, has_key: bool, address: str, headers: Iterable[str]) -> bool:
    """Who runs this server, and may have its model loaded again: whoever has the API key.

    Where there is none, a client on this machine itself, without a proxy between.
    """
    if access.api_key is not None:
        return has_key
    return is_loopback(address) and not FORWARDING.intersection(name.lower() for name in headers)


def may_operate_page(access: Access, address: str, headers: Iterable[str]) -> bool:
    """The same for a visitor of the page, who has given the API key where that is what the page asks for."""
    return is_operator(access, access.password == access.api_key, address, headers)
