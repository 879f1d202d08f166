"""Tasks that end together: a delivery beside a wait for the client's disconnect, the clients of a load test."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from starlette.types import Receive


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
