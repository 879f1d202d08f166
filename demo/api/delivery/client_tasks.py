"""Tasks that end together: a delivery beside waits for its client to leave or to stall, the clients of a load test."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

from starlette.types import Message, Receive, Send

STALL_SECONDS: Final = 30.0  # a client that reads nothing for so long is disconnected


@asynccontextmanager
async def run_tasks(*coroutines: Coroutine[Any, Any, None]) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Run all until the block ends; then cancel those that have not ended, and raise the first error."""
    tasks = [asyncio.ensure_future(each) for each in coroutines]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.result()


async def run_until_first_ends(*coroutines: Coroutine[Any, Any, None]) -> None:
    """Run all until one ends, cancel the others, and raise the first error."""
    async with run_tasks(*coroutines) as tasks:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


async def wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class StallWatch:
    """Sends what one client is to read, and notices that it reads nothing. Used from one event loop.

    A timer for each write would cost as much as half the write.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._clock = asyncio.get_running_loop().time
        self._since: float | None = None  # when a message was passed on that has not been taken yet
        self._sent_at = self._clock()

    @property
    def silence(self) -> float:
        """Seconds since the last message was taken; 0 while one is being sent."""
        return self._clock() - self._sent_at if self._since is None else 0.0

    async def send(self, message: Message) -> None:
        """Returns when the connection has taken the message."""
        self._since = self._clock()
        await self._send(message)
        self._since, self._sent_at = None, self._clock()

    async def wait(self) -> None:
        """Until a message has not been taken for STALL_SECONDS."""
        while (left := STALL_SECONDS - self._pending) > 0:
            await asyncio.sleep(left)

    @property
    def _pending(self) -> float:
        return 0.0 if self._since is None else self._clock() - self._since
