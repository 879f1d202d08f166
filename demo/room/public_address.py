"""The address at which phones reach this server, and its QR code. Asks nobody: no packet is sent."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import segno
from starlette.requests import Request

from demo.address import is_loopback
from demo.api.middleware.allowed_hosts import parse_host

OUTSIDE: Final = ("192.0.2.1", 9)  # reserved for documentation (RFC 5737): routed as any address outside is


@dataclass(frozen=True, slots=True)
class PublicAddress:
    """`public_url` as set, `port` that is listened on, and whether other machines can connect."""

    public_url: str | None
    port: int
    is_reached: bool
    space_host: str | None = None

    @classmethod
    def choose(
        cls, public_url: str | None, port: int, is_reached: bool, environment: Mapping[str, str]
    ) -> "PublicAddress":
        return cls(public_url, port, is_reached, environment.get("SPACE_HOST"))

    def find(self, request: Request) -> tuple[str, bool]:
        """The address without a slash at its end, and whether others can reach it.

        As set; of the Space; the one that was asked, unless it is of this machine alone; else this machine's own.
        """
        root = request.scope.get("root_path", "").rstrip("/")
        if self.public_url is not None:
            return self.public_url.rstrip("/"), True
        if self.space_host is not None:
            return f"https://{self.space_host}{root}", True
        host = parse_host(request.headers.get("host", ""))
        if host is not None and host != "localhost" and not is_loopback(host):
            return str(request.base_url).rstrip("/"), True
        own = find_own_address() if self.is_reached else None
        if own is None:
            return str(request.base_url).rstrip("/"), False
        return f"http://{own}:{self.port}{root}", True


def find_own_address() -> str | None:
    """This machine's address on its network; None where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(OUTSIDE)
        except OSError:
            return None
        address = str(probe.getsockname()[0])
    return None if is_loopback(address) else address


def draw_qr_code(address: str) -> str:
    """An address as an SVG element, dark on white with its quiet zone, that scales to its place."""
    code = segno.make_qr(address, error="m")
    return str(
        code.svg_inline(scale=4, border=4, dark="#000", light="#fff", omitsize=True, svgclass="qr", lineclass=None)
    )
