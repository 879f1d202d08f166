"""Notices a client that reads nothing. A timer for each write would cost as much as half the write."""

import asyncio
from typing import Final

from starlette.types import Message, Send

STALL_SECONDS: Final = 30.0  # a client that reads nothing for so long is disconnected


class StallWatch:
    """Sends what one client is to read. Used from one event loop."""

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
