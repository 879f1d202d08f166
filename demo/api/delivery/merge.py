"""The events of several readers in one stream of batches, coalesced while tokens come fast.

Each write wakes the event loop and the client, on cores that the model may be using.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from math import inf
from typing import Final

from demo.api.delivery.client_tasks import run_tasks
from demo.events import Event, Token
from demo.run import Reader

COALESCE_SECONDS: Final = 0.01  # tokens that follow each other sooner share a write; none waits longer


async def merge_batches(readers: Sequence[Reader]) -> AsyncIterator[tuple[int, Sequence[Event]]]:
    """Each reader's batches, as they come, with the reader's number."""
    if len(readers) == 1:
        async for batch in coalesce_batches(readers[0]):
            yield 0, batch
        return
    arrivals: asyncio.Queue[tuple[int, Sequence[Event]] | None] = asyncio.Queue()

    async def forward(index: int, reader: Reader) -> None:
        try:
            async for batch in coalesce_batches(reader):
                arrivals.put_nowait((index, batch))
        finally:
            arrivals.put_nowait(None)

    async with run_tasks(*(forward(index, reader) for index, reader in enumerate(readers))):
        remaining = len(readers)
        while remaining:
            if (arrival := await arrivals.get()) is None:
                remaining -= 1
            else:
                yield arrival


async def coalesce_batches(reader: Reader) -> AsyncIterator[Sequence[Event]]:
    """A reader's batches. The first token and the end never wait."""
    clock = asyncio.get_running_loop().time
    latest, gap = -inf, inf
    async for batch in reader:
        yield batch
        for token in batch:
            if isinstance(token, Token):
                gap, latest = token.time - latest, token.time
        if gap < COALESCE_SECONDS:
            # Until a moment that all readers share, so that they wake in one turn of the loop.
            await reader.coalesce(COALESCE_SECONDS - clock() % COALESCE_SECONDS)
