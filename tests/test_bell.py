"""The bell: one call of a loop for all who wait on it, and harm for nobody."""

import asyncio
import threading
from collections.abc import Callable

from demo.bell import Bell, find_bell


class CountingLoop:
    """A loop's door, which counts who knocks; it is opened by hand."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []

    def call_soon_threadsafe(self, callback: Callable[[], None]) -> None:
        self.calls.append(callback)


def test_until_the_loop_comes_it_is_called_once_however_many_wait() -> None:
    async def ring() -> None:
        door, loop = CountingLoop(), asyncio.get_running_loop()
        bell = Bell(door)  # type: ignore[arg-type]
        waiting = [loop.create_future() for _ in range(5)]
        for each in waiting:
            bell.ring(each)
        assert len(door.calls) == 1
        door.calls.pop()()
        assert all(each.done() for each in waiting)
        bell.ring(loop.create_future())
        assert len(door.calls) == 1

    asyncio.run(ring())


def test_it_wakes_from_another_thread() -> None:
    async def wait() -> None:
        waiting = asyncio.get_running_loop().create_future()
        threading.Thread(target=find_bell().ring, args=(waiting,)).start()
        await asyncio.wait_for(waiting, 5)

    asyncio.run(wait())


def test_who_has_stopped_waiting_is_left_alone() -> None:
    async def leave() -> None:
        waiting = asyncio.get_running_loop().create_future()
        waiting.cancel()
        find_bell().ring(waiting)
        await asyncio.sleep(0)
        assert waiting.cancelled()

    asyncio.run(leave())


def test_a_closed_loop_is_rung_in_vain() -> None:
    async def find() -> tuple[Bell, "asyncio.Future[None]"]:
        return find_bell(), asyncio.get_running_loop().create_future()

    bell, waiting = asyncio.run(find())
    bell.ring(waiting)
    assert not waiting.done()


def test_a_loop_has_one_bell() -> None:
    async def find() -> bool:
        return find_bell() is find_bell()

    assert asyncio.run(find())
