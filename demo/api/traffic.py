"""Bytes of HTTP on the wire: heads, bodies and chunk framing, as h11 reads and writes them.

What lies below HTTP (TLS, TCP, IP) is not counted.
"""

import ssl
from dataclasses import dataclass
from typing import Any, Final

import h11
import httpcore2
import httpx2
from starlette.types import Scope

KEY: Final = "traffic"  # in a request's `scope["state"]`


@dataclass(slots=True)
class Traffic:
    """Bytes of a request and of its reply, so far."""

    request: int = 0
    reply: int = 0


def find_traffic(scope: Scope) -> Traffic | None:
    """The traffic of the request of `scope`; None behind a server that does not count."""
    traffic: Traffic | None = scope.get("state", {}).get(KEY)
    return traffic


class CountedConnection(h11.Connection):
    """The server's side of a connection. `traffic` is that of the request which is being read or answered."""

    def __init__(self) -> None:
        super().__init__(h11.SERVER)
        self.traffic = Traffic()
        self.content_type = b""  # of the reply that is being sent

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        unread = len(self.trailing_data[0])
        event = super().next_event()
        if type(event) is h11.Request:
            self.traffic = Traffic()
        self.traffic.request += unread - len(self.trailing_data[0])
        return event

    def send(self, event: h11.Event) -> bytes | None:  # type: ignore[override]  # h11 has overloads
        if type(event) is h11.Response:
            self.content_type = dict(event.headers).get(b"content-type", b"")
        output = super().send(event)
        self.traffic.reply += len(output or b"")
        return output


class CountedTransport(httpx2.AsyncHTTPTransport):
    """httpx2's own transport, whose connections add their bytes to `traffic`."""

    def __init__(self, traffic: Traffic) -> None:
        context = httpx2.create_ssl_context(trust_env=False)
        super().__init__(verify=context)
        self._pool = httpcore2.AsyncConnectionPool(ssl_context=context, network_backend=_Network(traffic))


class _Network(httpcore2.AnyIOBackend):
    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic

    async def connect_tcp(self, *arguments: Any, **options: Any) -> httpcore2.AsyncNetworkStream:
        return _Stream(await super().connect_tcp(*arguments, **options), self._traffic)


class _Stream(httpcore2.AsyncNetworkStream):
    def __init__(self, stream: httpcore2.AsyncNetworkStream, traffic: Traffic) -> None:
        self._stream = stream
        self._traffic = traffic

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = await self._stream.read(max_bytes, timeout)
        self._traffic.reply += len(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._traffic.request += len(buffer)
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        # Wrapped again, so that HTTP is counted and not its encryption.
        return _Stream(await self._stream.start_tls(ssl_context, server_hostname, timeout), self._traffic)
