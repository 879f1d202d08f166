"""The loop waker: one call of a loop for all futures that are woken, and no loop kept after its end."""

import asyncio
import gc
import threading
from collections.abc import Callable
from weakref import ref

import pytest

from demo import loop_waker
from demo.loop_waker import LoopWaker, find_waker, wake_together


class CountingLoop:
    """Stands in for a loop: it counts the calls; a test answers them by hand."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []

    def call_soon_threadsafe(self, callback: Callable[[], None]) -> None:
        self.calls.append(callback)


def test_until_the_loop_answers_it_is_called_once_however_many_wait() -> None:
    async def scene() -> None:
        counting, loop = CountingLoop(), asyncio.get_running_loop()
        waker = LoopWaker(counting)  # type: ignore[arg-type]
        waiting = [loop.create_future() for _ in range(5)]
        for each in waiting:
            waker.wake(each)
        assert len(counting.calls) == 1
        counting.calls.pop()()
        assert all(each.done() for each in waiting)
        waker.wake(loop.create_future())
        assert len(counting.calls) == 1

    asyncio.run(scene())


def test_futures_that_are_woken_together_are_resolved_after_the_block_by_one_call() -> None:
    async def scene() -> None:
        counting, loop = CountingLoop(), asyncio.get_running_loop()
        waker = LoopWaker(counting)  # type: ignore[arg-type]
        waiting = [loop.create_future() for _ in range(5)]
        with wake_together():
            for each in waiting:
                waker.wake(each)
            assert not counting.calls
        assert len(counting.calls) == 1
        counting.calls.pop()()
        assert all(each.done() for each in waiting)

    asyncio.run(scene())


def test_a_block_that_raises_wakes_what_it_was_to_wake() -> None:
    async def scene() -> None:
        counting, waiting = CountingLoop(), asyncio.get_running_loop().create_future()
        waker = LoopWaker(counting)  # type: ignore[arg-type]

        def break_off() -> None:
            with wake_together():
                waker.wake(waiting)
                raise ValueError

        with pytest.raises(ValueError):
            break_off()
        assert len(counting.calls) == 1
        waker.wake(waiting)
        counting.calls.pop()()
        waker.wake(waiting)
        assert len(counting.calls) == 1, "what is woken after the block is flushed at once"

    asyncio.run(scene())


def test_a_thread_that_wakes_together_does_not_delay_another_thread() -> None:
    async def scene() -> None:
        counting, waiting = CountingLoop(), asyncio.get_running_loop().create_future()
        waker = LoopWaker(counting)  # type: ignore[arg-type]
        with wake_together():
            thread = threading.Thread(target=waker.wake, args=(waiting,))
            thread.start()
            thread.join()
            assert len(counting.calls) == 1

    asyncio.run(scene())


def test_it_wakes_from_another_thread() -> None:
    async def wait() -> None:
        waiting = asyncio.get_running_loop().create_future()
        threading.Thread(target=find_waker().wake, args=(waiting,)).start()
        await asyncio.wait_for(waiting, 5)

    asyncio.run(wait())


def test_a_future_that_was_cancelled_stays_cancelled() -> None:
    async def leave() -> None:
        waiting = asyncio.get_running_loop().create_future()
        waiting.cancel()
        find_waker().wake(waiting)
        await asyncio.sleep(0)
        assert waiting.cancelled()

    asyncio.run(leave())


def test_waking_a_future_of_a_closed_loop_is_harmless() -> None:
    async def find() -> tuple[LoopWaker, "asyncio.Future[None]"]:
        return find_waker(), asyncio.get_running_loop().create_future()

    waker, waiting = asyncio.run(find())
    waker.wake(waiting)
    assert not waiting.done()


def test_a_loop_has_one_bell() -> None:
    async def find() -> bool:
        return find_waker() is find_waker()

    assert asyncio.run(find())


@pytest.mark.parametrize("pending", [False, True], ids=["idle", "with a call under way"])
def test_a_loop_that_has_ended_is_forgotten(pending: bool) -> None:
    async def scene() -> "ref[asyncio.AbstractEventLoop]":
        loop = asyncio.get_running_loop()
        waiting: list[asyncio.Future[None]] = [loop.create_future(), loop.create_future()]
        find_waker().wake(waiting[0])
        await waiting[0]
        if pending:
            find_waker().wake(waiting[1])
        return ref(loop)

    loop = asyncio.run(scene())
    gc.collect()
    assert loop() is None
    assert not len(loop_waker._wakers)
