"""Long bodies that arrive together are parsed in different turns of the event loop; short ones wait for nothing."""

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from demo.api.middleware.body_limit import LONG_BODY_BYTES, BodyLimitMiddleware


async def list_turns(size: int) -> list[int]:
    """The loop's turn in which each of four bodies of `size` bytes, there at once, could be parsed."""
    turns, turn = [], 0

    async def parse(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        turns.append(turn)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"x" * size, "more_body": False}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    async def count() -> None:
        nonlocal turn
        while True:
            await asyncio.sleep(0)
            turn += 1

    counting, limit = asyncio.create_task(count()), BodyLimitMiddleware(parse)
    await asyncio.gather(*[limit({"type": "http", "headers": []}, receive, send) for _ in range(4)])
    counting.cancel()
    return turns


@pytest.mark.parametrize(("size", "different"), [(LONG_BODY_BYTES + 1, 4), (LONG_BODY_BYTES, 1)])
def test_only_one_long_body_is_parsed_in_a_turn(size: int, different: int) -> None:
    assert len(set(asyncio.run(list_turns(size)))) == different
