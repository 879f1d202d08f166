"""Long prompts are worked on beside the event loop, in turns."""

import asyncio
import threading
from collections.abc import Callable
from functools import partial

import pytest

from demo.errors import Overloaded
from demo.prompt_threads import LONG_PROMPT, VERY_LONG_PROMPT, PromptThread, run_beside

pytestmark = pytest.mark.anyio
PATIENCE = 20.0


class Gate:
    """Work that begins when its turn comes, and ends when the test opens it."""

    def __init__(self) -> None:
        self.begun, self.open = threading.Event(), threading.Event()

    def __call__(self) -> str:
        self.begun.set()
        assert self.open.wait(PATIENCE)
        return "done"


async def wait_for(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, PATIENCE)


def add(thread: PromptThread, size: int, work: Callable[[], object]) -> "asyncio.Task[object]":
    return asyncio.ensure_future(thread.run(size, work, discard=lambda result: None))


async def test_only_a_long_prompt_changes_threads() -> None:
    here = threading.current_thread()
    assert await run_beside(LONG_PROMPT - 1, threading.current_thread) is here
    assert await run_beside(LONG_PROMPT, threading.current_thread) is not here


async def test_a_long_prompt_does_not_wait_for_a_very_long_one_and_those_wait_for_each_other() -> None:
    first, second = Gate(), Gate()
    running = asyncio.ensure_future(run_beside(VERY_LONG_PROMPT, first))
    waiting = asyncio.ensure_future(run_beside(VERY_LONG_PROMPT, second))
    await wait_for(first.begun)
    assert await run_beside(LONG_PROMPT, lambda: "beside") == "beside"
    assert not second.begun.is_set()
    first.open.set()
    second.open.set()
    assert [await running, await waiting] == ["done", "done"]


async def test_a_shorter_prompt_has_its_turn_before_longer_ones() -> None:
    thread, gate, turns = PromptThread(), Gate(), list[int]()
    first = add(thread, 1, gate)
    await wait_for(gate.begun)
    tasks = [add(thread, size, partial(turns.append, size)) for size in (900_000, 5_000_000, 100_000)]
    await asyncio.sleep(0)
    gate.open.set()
    await asyncio.gather(first, *tasks)
    assert turns == [100_000, 900_000, 5_000_000]


async def test_beyond_its_bound_a_prompt_is_refused_and_not_kept() -> None:
    thread, gate = PromptThread(waiting=1), Gate()
    first = add(thread, 1, gate)
    await wait_for(gate.begun)
    second = add(thread, 1, lambda: "second")
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match="long prompts are being read: try again"):
        await add(thread, 1, lambda: "third")
    gate.open.set()
    assert [await first, await second] == ["done", "second"]


async def test_a_prompt_nobody_waits_for_any_more_is_not_worked_on_and_leaves_its_place() -> None:
    thread, gate, left = PromptThread(waiting=1), Gate(), threading.Event()
    first = add(thread, 1, gate)
    await wait_for(gate.begun)
    leaving = add(thread, 1, left.set)
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait({leaving})
    staying = add(thread, 1, lambda: "stayed")
    await asyncio.sleep(0)
    gate.open.set()
    assert [await first, await staying] == ["done", "stayed"]
    assert not left.is_set()


async def test_a_result_that_comes_after_its_caller_left_is_discarded() -> None:
    thread, gate, discarded = PromptThread(), Gate(), threading.Event()
    task = asyncio.ensure_future(thread.run(1, gate, discard=lambda result: discarded.set()))
    await wait_for(gate.begun)
    task.cancel()
    await asyncio.wait({task})
    assert not discarded.is_set()
    gate.open.set()
    await wait_for(discarded)


async def test_an_error_of_the_work_is_the_callers() -> None:
    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await run_beside(LONG_PROMPT, fail)
