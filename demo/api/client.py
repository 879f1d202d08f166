"""Which client an HTTP request comes from: a key for the engine, which is shared between clients. Never logged."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, TypeAlias

from fastapi import Depends
from starlette.requests import HTTPConnection

from demo.client_key import make_client_key
from demo.events import Request


async def find_client(connection: HTTPConnection) -> str:
    """The client that its API key and its address tell apart, or its address alone.

    A key counts together with the address: strangers may send the same one, such as the "-" that OpenAI's clients need.
    The address is the one of the connection, or the forwarded one where uvicorn trusts the proxy that sent it.
    """
    address = connection.client.host if connection.client else ""
    api_key = connection.headers.get("authorization", "").partition(" ")[2].strip()
    return make_client_key("key", api_key, address) if api_key else make_client_key("address", address)


Client: TypeAlias = Annotated[str, Depends(find_client)]


def ask_as(client: str, requests: Iterable[Request]) -> list[Request]:
    """The requests, each of them from `client`."""
    return [replace(request, client=client) for request in requests]
