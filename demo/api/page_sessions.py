"""Sessions of the page's visitors: signed cookies that count as the API key, for requests of the page's own site only.

Knows no route and no page. A session says only that its browser may generate, not who uses it.
"""

import hashlib
import hmac
import secrets
import time
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import Scope

from demo.access import Access, is_operator
from demo.address import read_address
from demo.api.guess_limit import GuessLimit

LIFETIME_SECONDS: Final = 24 * 3600
SAFE_METHODS: Final = ("GET", "HEAD", "OPTIONS")
# What a browser says of a request of the page itself, or of one that a person typed.
OWN_SITE: Final = ("same-origin", "none")


class PageSessions:
    """Issues and checks sessions. They end with the process, after a day, or with the browser.

    Each session is sent as two cookies. One that no other site's request carries (SameSite=Lax); and one for a page in
    another site's frame, which browsers keep apart for each site that frames it (Partitioned), over HTTPS only.
    """

    def __init__(self, access: Access, has_page: bool) -> None:
        self.ask_password = has_page and access.password is not None
        self.open_page = has_page and access.password is None and access.api_key is not None
        self._access = access
        self._expected = None if access.api_key is None else access.api_key.encode()
        # A program sends its key with each request; a visitor enters the password once, and has a session then.
        self._key_guesses, self._password_guesses = GuessLimit(trusts_known=True), GuessLimit(trusts_known=False)
        self._secret = secrets.token_bytes(32)
        # Not the same for two servers on one machine: cookies do not tell ports apart.
        self._name = f"session-{secrets.token_hex(4)}"

    def judge_key(self, scope: Scope) -> bool:
        """Whether a request has the API key, if one is required. A wrong one is a guess: raises TooManyGuesses."""
        if self._expected is None or "authorization" not in Headers(scope=scope):
            return self._expected is None
        is_right = hmac.compare_digest(read_bearer(scope).encode("latin-1"), self._expected)
        return self._key_guesses.judge(read_address(HTTPConnection(scope)), is_right)

    def judge_password(self, scope: Scope, given: str) -> bool:
        """Whether `given` is the page's password; a wrong one counts as a guess. Raises TooManyGuesses."""
        password = self._access.password
        is_right = password is not None and hmac.compare_digest(given.encode(), password.encode())
        return self._password_guesses.judge(read_address(HTTPConnection(scope)), is_right)

    def admit_visitor(self, scope: Scope) -> bool:
        """Whether a request has a session, and no other site has made the browser send it."""
        cookies = HTTPConnection(scope).cookies
        signed = any(self._is_valid(cookies.get(name, "")) for name in (self._name, f"{self._name}-framed"))
        return signed and (scope["method"] in SAFE_METHODS or is_of_own_site(scope))

    def admit_operator(self, scope: Scope) -> bool:
        """Whether a request comes from whoever runs this server, and no other site has made a browser send it."""
        connection, access = HTTPConnection(scope), self._access
        has_key = self.judge_key(scope) or (access.password == access.api_key and self.admit_visitor(scope))
        return is_of_own_site(scope) and is_operator(access, has_key, read_address(connection), connection.headers)

    def issue(self, root_path: str) -> list[str]:
        """A new session, as the values of two Set-Cookie headers."""
        value = f"{int(time.time()) + LIFETIME_SECONDS}.{secrets.token_urlsafe(12)}"
        cookie = f"{value}.{self._sign(value)}; Path={root_path}/; HttpOnly"
        return [
            f"{self._name}={cookie}; SameSite=Lax",
            f"{self._name}-framed={cookie}; SameSite=None; Secure; Partitioned",
        ]

    def _is_valid(self, cookie: str) -> bool:
        value, _, signature = cookie.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._sign(value).encode()):
            return False
        return time.time() < int(value.partition(".")[0])

    def _sign(self, value: str) -> str:
        return hmac.new(self._secret, value.encode(), hashlib.sha256).hexdigest()


def read_bearer(scope: Scope) -> str:
    """The key of the Authorization header (RFC 6750); empty where there is none.

    A scheme counts in any case, with any spaces after it (RFC 9110, 11.1).
    """
    scheme, _, key = Headers(scope=scope).get("authorization", "").strip().partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def is_of_own_site(scope: Scope) -> bool:
    """Whether the browser says that this site's own page sent the request; also where it says nothing.

    Browsers send the header to HTTPS and to this machine. Elsewhere a session is SameSite=Lax alone.
    """
    return Headers(scope=scope).get("sec-fetch-site", OWN_SITE[0]) in OWN_SITE
