"""The client of an HTTP request, as an opaque key: the engine is shared fairly between clients. Never logged."""

from typing import Annotated, TypeAlias

from fastapi import Depends
from starlette.requests import HTTPConnection

from demo.address import read_address
from demo.client_key import make_client_key


async def find_client(connection: HTTPConnection) -> str:
    """The client's key: from its API key and address, or from its address alone.

    The API key is not enough: strangers may send the same one, such as the "-" that OpenAI's clients need.
    """
    address = read_address(connection)
    api_key = connection.headers.get("authorization", "").partition(" ")[2].strip()
    return make_client_key(address, "key", api_key) if api_key else make_client_key(address, "address")


Client: TypeAlias = Annotated[str, Depends(find_client)]
