"""The loop waker: one call of a loop for all futures that are woken, and no reference to a loop after its end."""

import asyncio
import gc
import threading
from collections.abc import Callable
from contextlib import nullcontext, suppress
from weakref import ref

import pytest

from demo import loop_waker
from demo.loop_waker import LoopWaker, find_waker, wake_together


class CountingLoop:
    """Stands in for a loop: it records the calls, which a test runs."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []
        self.waker = LoopWaker(self)  # type: ignore[arg-type]

    def call_soon_threadsafe(self, callback: Callable[[], None]) -> None:
        self.calls.append(callback)


def make_futures(count: int) -> "list[asyncio.Future[None]]":
    return [asyncio.get_running_loop().create_future() for _ in range(count)]


@pytest.mark.anyio
@pytest.mark.parametrize(("together", "raises"), [(False, False), (True, False), (True, True)])
async def test_however_many_wait_one_call_resolves_them_and_after_the_block_where_they_are_woken_together(
    together: bool, raises: bool
) -> None:
    loop, waiting = CountingLoop(), make_futures(5)
    with suppress(ValueError), wake_together() if together else nullcontext():
        for each in waiting:
            loop.waker.wake(each)
        assert len(loop.calls) == (0 if together else 1)
        if raises:
            raise ValueError
    assert len(loop.calls) == 1
    loop.calls.pop()()
    assert all(each.done() for each in waiting)
    loop.waker.wake(*make_futures(1))
    assert len(loop.calls) == 1, "what is woken after the block is flushed at once"


@pytest.mark.anyio
async def test_a_thread_that_wakes_together_does_not_delay_another_thread() -> None:
    loop = CountingLoop()
    with wake_together():
        await asyncio.to_thread(loop.waker.wake, *make_futures(1))
        assert len(loop.calls) == 1


@pytest.mark.anyio
async def test_it_wakes_from_another_thread() -> None:
    (waiting,) = make_futures(1)
    threading.Thread(target=find_waker().wake, args=(waiting,)).start()
    await asyncio.wait_for(waiting, 5)


@pytest.mark.anyio
async def test_a_future_that_was_cancelled_stays_cancelled() -> None:
    (waiting,) = make_futures(1)
    waiting.cancel()
    find_waker().wake(waiting)
    await asyncio.sleep(0)
    assert waiting.cancelled()


def test_waking_a_future_of_a_closed_loop_is_harmless() -> None:
    async def find() -> tuple[LoopWaker, "asyncio.Future[None]"]:
        return find_waker(), make_futures(1)[0]

    waker, waiting = asyncio.run(find())
    waker.wake(waiting)
    assert not waiting.done()


@pytest.mark.anyio
async def test_a_loop_has_one_waker() -> None:
    assert find_waker() is find_waker()


@pytest.mark.parametrize("pending", [False, True], ids=["idle", "with a call under way"])
def test_a_loop_that_has_ended_is_forgotten(pending: bool) -> None:
    async def scene() -> "ref[asyncio.AbstractEventLoop]":
        loop = asyncio.get_running_loop()
        waiting = make_futures(2)
        find_waker().wake(waiting[0])
        await waiting[0]
        if pending:
            find_waker().wake(waiting[1])
        return ref(loop)

    gc.collect()
    before = len(loop_waker._wakers)  # other tests' loops
    loop = asyncio.run(scene())
    gc.collect()
    assert loop() is None
    assert len(loop_waker._wakers) <= before
