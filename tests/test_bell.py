"""The bell: one call of a loop for all who wait on it, and harm for nobody."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from demo.bell import Bell, find_bell, ring_together


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


def test_who_is_rung_for_together_is_woken_at_the_end_by_one_call() -> None:
    async def ring() -> None:
        door, loop = CountingLoop(), asyncio.get_running_loop()
        bell = Bell(door)  # type: ignore[arg-type]
        waiting = [loop.create_future() for _ in range(5)]
        with ring_together():
            for each in waiting:
                bell.ring(each)
            assert not door.calls
        assert len(door.calls) == 1
        door.calls.pop()()
        assert all(each.done() for each in waiting)

    asyncio.run(ring())


def test_what_breaks_while_rung_together_leaves_nobody_asleep() -> None:
    async def ring() -> None:
        door, waiting = CountingLoop(), asyncio.get_running_loop().create_future()
        bell = Bell(door)  # type: ignore[arg-type]

        def break_off() -> None:
            with ring_together():
                bell.ring(waiting)
                raise ValueError

        with pytest.raises(ValueError):
            break_off()
        assert len(door.calls) == 1
        bell.ring(waiting)
        door.calls.pop()()
        bell.ring(waiting)
        assert len(door.calls) == 1, "what is rung after the block is sounded at once"

    asyncio.run(ring())


def test_another_thread_is_not_kept_waiting_by_who_rings_together() -> None:
    async def ring() -> None:
        door, waiting = CountingLoop(), asyncio.get_running_loop().create_future()
        bell = Bell(door)  # type: ignore[arg-type]
        with ring_together():
            thread = threading.Thread(target=bell.ring, args=(waiting,))
            thread.start()
            thread.join()
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
