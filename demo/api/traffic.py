"""Bytes of HTTP on the wire: heads, bodies and chunk framing, as a connection reads and writes them.

What lies below HTTP (TLS, TCP, IP) is not counted.
"""

import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

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
    """What is counted of the request that `scope` describes; None behind a server that does not count."""
    traffic: Traffic | None = scope.get("state", {}).get(KEY)
    return traffic


class CountedTransport(httpx2.AsyncHTTPTransport):
    """httpx2's own transport, whose connections add what they carry to `traffic`."""

    def __init__(self, traffic: Traffic) -> None:
        context = httpx2.create_ssl_context(trust_env=False)
        super().__init__(verify=context)
        self._pool = httpcore2.AsyncConnectionPool(ssl_context=context, network_backend=_Network(traffic))


class _Network(httpcore2.AsyncNetworkBackend):
    def __init__(self, traffic: Traffic) -> None:
        self._network = httpcore2.AnyIOBackend()
        self._traffic = traffic

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        stream = await self._network.connect_tcp(host, port, timeout, local_address, socket_options)
        return _Stream(stream, self._traffic)

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)


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

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        # Wrapped again, so that HTTP is counted and not its encryption.
        return _Stream(await self._stream.start_tls(ssl_context, server_hostname, timeout), self._traffic)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
