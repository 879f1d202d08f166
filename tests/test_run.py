import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.errors import EngineFailed, Overloaded
from demo.events import Done, Event, Failed, Started, Token
from demo.request import Request
from demo.run import Reader, Run
from tests.scripted import ScriptedEngine, ScriptedTicket

PATIENCE = 10.0  # seconds until a test that hangs is called failed

Batch = Sequence[Event]
Collect = Callable[[Reader], list[Batch]]


def start_run(*texts: str) -> tuple[Run, ScriptedTicket]:
    """A new run; where texts are given it has started, and these are its tokens so far."""
    engine = ScriptedEngine()
    run = Run(engine, Request("hello"))
    if texts:
        engine.tickets[0].start_with(*texts)
    return run, engine.tickets[0]


async def collect_all(reader: Reader) -> list[Batch]:
    return [batch async for batch in reader]


def collect_in_loop(reader: Reader) -> list[Batch]:
    return asyncio.run(collect_all(reader))


both_ways = pytest.mark.parametrize("collect", [list, collect_in_loop], ids=["in a thread", "in a loop"])


async def read_one(reader: Reader) -> Batch:
    return await anext(aiter(reader))


def flatten(batches: list[Batch]) -> list[Event]:
    return [event for batch in batches for event in batch]


def text_of(events: Batch) -> str:
    return "".join(event.text for event in events if isinstance(event, Token))


def wait_in_background(pool: ThreadPoolExecutor, collect: Collect, reader: Reader) -> "Future[list[Batch]]":
    """Start to collect, and return once the reader is waiting for an event."""
    collected = pool.submit(collect, reader)
    while not is_waiting(reader):
        assert not collected.done()
    return collected


def is_waiting(reader: Reader) -> bool:
    return reader._wake is not None


@both_ways
def test_a_late_reader_gets_the_whole_log_from_its_beginning(collect: Collect) -> None:
    run, ticket = start_run("a", "b", "c")
    ticket.finish()
    events = flatten(collect(run.attach()))
    assert events == list(run.events)
    assert isinstance(events[0], Started)
    assert text_of(events) == "abc"
    assert events[-1] == Done(events[-1].time, "length", 3)


@both_ways
def test_what_arrived_while_a_reader_was_away_comes_as_one_batch(collect: Collect) -> None:
    run, ticket = start_run()
    reader = run.attach()
    ticket.start_with(*"abcdef")
    ticket.finish()
    assert [len(batch) for batch in collect(reader)] == [8]


def test_a_slow_readers_batches_are_what_arrived_since_the_last() -> None:
    run, ticket = start_run()
    slow = iter(run.attach())
    ticket.start()
    assert len(next(slow)) == 1
    for texts in ("a", "bcd", "e"):
        ticket.write(*texts)
        assert text_of(next(slow)) == texts
    ticket.finish()
    assert len(next(slow)) == 1
    assert list(slow) == []


@given(st.lists(st.integers(0, 4), max_size=12))
def test_however_slow_a_reader_is_it_gets_every_event_once_and_in_order(pauses: list[int]) -> None:
    run, ticket = start_run()
    reader = iter(run.attach())
    ticket.start()
    seen = list(next(reader))
    for number, arrived in enumerate(pauses):
        ticket.write(*[f"{number}.{index} " for index in range(arrived)])
        if arrived:
            seen += next(reader)
    ticket.write("tail")
    ticket.finish("eos_token")
    seen += flatten(list(reader))
    assert seen == list(run.events)
    assert sum(isinstance(event, Done) for event in seen) == 1


@both_ways
def test_a_failure_is_a_final_event_and_ends_the_reading(collect: Collect) -> None:
    run, ticket = start_run("a")
    ticket.fail(EngineFailed("broke"))
    *events, end = flatten(collect(run.attach()))
    assert isinstance(end, Failed)
    assert not any(isinstance(event, Done | Failed) for event in events)
    assert run.ended


@both_ways
@pytest.mark.parametrize("waits_for_end", [False, True])
def test_a_reader_closed_while_it_waits_wakes_and_ends(collect: Collect, waits_for_end: bool) -> None:
    run, _ = start_run()
    other, reader = run.attach(), run.attach(waits_for_end)
    with ThreadPoolExecutor() as pool:
        collected = wait_in_background(pool, collect, reader)
        reader.close()
        assert collected.result(PATIENCE) == []
    assert not run.ended
    other.close()


@both_ways
def test_a_closed_reader_gets_nothing_more(collect: Collect) -> None:
    run, ticket = start_run()
    keeper, reader = run.attach(), run.attach()
    ticket.start()
    reader.close()
    ticket.write("a")
    assert collect(reader) == []
    assert reader.closed
    assert not keeper.closed


def test_the_last_reader_to_leave_stops_the_work_and_no_other_does() -> None:
    run, ticket = start_run()
    first, second, third = run.attach(), run.attach(), run.attach()
    ticket.start()
    second.close()
    first.close()
    first.close()  # leaving twice is leaving once
    assert not ticket.cancelled
    third.close()
    assert ticket.cancelled
    assert run.ended


def test_readers_that_are_closed_after_the_end_stop_nothing() -> None:
    run, ticket = start_run("a")
    reader = run.attach()
    ticket.finish()
    reader.close()
    assert not ticket.cancelled


def test_a_reader_may_come_after_all_others_have_left() -> None:
    run, _ = start_run("a")
    run.attach().close()
    events = flatten(list(run.attach()))
    assert text_of(events) == "a"
    assert events[-1] == Done(events[-1].time, "cancelled", 1)


@both_ways
def test_a_waiting_reader_wakes_for_each_event_and_ends_with_the_last_also_after_a_cancel(collect: Collect) -> None:
    run, ticket = start_run()
    readers = [run.attach() for _ in range(4)]
    with ThreadPoolExecutor() as pool:
        collected = [wait_in_background(pool, collect, reader) for reader in readers]
        ticket.start_with("a")
        assert not run.ended
        run.cancel()
        for batches in collected:
            assert flatten(batches.result(PATIENCE)) == list(run.events)
    assert run.events[-1] == Done(run.events[-1].time, "cancelled", 1)


@pytest.mark.anyio
async def test_a_cancelled_task_that_waits_on_a_reader_harms_nobody() -> None:
    run, ticket = start_run()
    quitting, staying = run.attach(), run.attach()
    quitter = asyncio.create_task(collect_all(quitting))
    stayer = asyncio.create_task(collect_all(staying))
    while not (is_waiting(quitting) and is_waiting(staying)):
        await asyncio.sleep(0)
    quitter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await quitter
    ticket.start_with("a")
    quitting.close()
    assert not ticket.cancelled
    ticket.finish()
    assert flatten(await asyncio.wait_for(stayer, PATIENCE)) == list(run.events)


@pytest.mark.anyio
async def test_a_task_cancelled_while_an_event_comes_in_from_a_thread_harms_nobody() -> None:
    for _ in range(50):
        run, ticket = start_run()
        reader = run.attach()
        task = asyncio.create_task(read_one(reader))
        while not is_waiting(reader):
            await asyncio.sleep(0)
        writer = threading.Thread(target=ticket.start)
        writer.start()
        task.cancel()
        await asyncio.wait([task])
        writer.join(PATIENCE)
        ticket.finish()
        assert run.ended


def test_a_loop_that_has_closed_under_a_waiting_reader_does_not_stop_the_writer() -> None:
    run, ticket = start_run()
    reader, other = run.attach(), run.attach()

    async def leave_waiting() -> None:
        waiting = asyncio.create_task(read_one(reader))
        while not is_waiting(reader):
            await asyncio.sleep(0)
        del waiting

    asyncio.run(leave_waiting())
    ticket.start()
    ticket.finish()
    assert len(flatten(list(other))) == 2


def test_a_refusal_is_raised_before_there_is_any_event() -> None:
    engine = ScriptedEngine()
    engine.refusal = Overloaded("full")
    with pytest.raises(Overloaded, match="full"):
        Run(engine, Request("hello"))
    assert engine.tickets == []


def test_a_hundred_readers_across_threads_and_loops_get_identical_logs() -> None:
    run, ticket = start_run()
    readers = [run.attach() for _ in range(100)]
    with ThreadPoolExecutor(100) as pool:
        ways: list[Collect] = [list, collect_in_loop]
        collected = [pool.submit(ways[index % 10 == 0], reader) for index, reader in enumerate(readers)]
        ticket.start()
        for index in range(300):
            ticket.write(f"{index} ")
        ticket.finish()
        logs = [flatten(batches.result(PATIENCE)) for batches in collected]
    assert len(run.events) == 302
    assert all(log == list(run.events) for log in logs)


def test_readers_that_leave_at_the_same_time_stop_the_work_once_all_have_left() -> None:
    for _ in range(50):
        run, ticket = start_run()
        readers = [run.attach() for _ in range(8)]
        barrier = threading.Barrier(len(readers))

        def leave(reader: Reader, barrier: threading.Barrier = barrier) -> None:
            barrier.wait(PATIENCE)
            reader.close()

        with ThreadPoolExecutor(len(readers)) as pool:
            list(pool.map(leave, readers))
        assert ticket.cancelled
        assert run.ended


def test_the_events_so_far_are_a_copy() -> None:
    run, ticket = start_run("a")
    before = run.events
    ticket.finish()
    assert (len(before), len(run.events)) == (2, 3)


@both_ways
def test_a_reader_that_waits_for_the_end_is_not_woken_before_and_then_gets_all(collect: Collect) -> None:
    run, ticket = start_run()
    reader = run.attach(waits_for_end=True)
    with ThreadPoolExecutor() as pool:
        collected = wait_in_background(pool, collect, reader)
        ticket.start_with("a", "b")
        assert is_waiting(reader)
        ticket.write_last("c", "eos_token")
        assert [len(batch) for batch in collected.result(PATIENCE)] == [5]


@pytest.mark.anyio
@pytest.mark.parametrize("way", ["end", "close"])
async def test_coalescing_ends_with_the_run_or_when_its_reader_is_closed_and_not_with_a_token(way: str) -> None:
    run, ticket = start_run()
    reader = run.attach()
    coalescing = asyncio.ensure_future(reader.coalesce(1000 * PATIENCE))
    await asyncio.sleep(0)
    ticket.start_with("a", "b")
    assert is_waiting(reader)
    if way == "end":
        ticket.finish()
    else:
        reader.close()
    await asyncio.wait_for(coalescing, PATIENCE)
    assert text_of(flatten(await collect_all(reader))) == ("ab" if way == "end" else "")
    await asyncio.wait_for(reader.coalesce(1000 * PATIENCE), PATIENCE)


@pytest.mark.anyio
async def test_coalescing_lasts_no_longer_than_asked_for_and_the_next_token_wakes_again() -> None:
    run, ticket = start_run()
    reader = run.attach()
    await asyncio.wait_for(reader.coalesce(0), PATIENCE)
    reading = asyncio.ensure_future(read_one(reader))
    await asyncio.sleep(0)
    ticket.start()
    assert len(await asyncio.wait_for(reading, PATIENCE)) == 1
