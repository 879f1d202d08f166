"""The events of a load test, as its response follows them."""

import asyncio

from demo.api.crowd.event_log import EventLog


def test_a_reader_that_is_cancelled_as_an_event_comes_stops() -> None:
    async def read_all(log: EventLog) -> None:
        async for _ in log.follow(60):
            pass

    async def cancel_as_an_event_comes() -> bool:
        log = EventLog()
        reading = asyncio.ensure_future(read_all(log))
        await asyncio.sleep(0)
        log.record("begun", log.now())
        await asyncio.sleep(0)  # the wait has ended, and its reader has not gone on yet
        reading.cancel()
        await asyncio.wait({reading}, timeout=5)
        return reading.cancelled()

    assert asyncio.run(cancel_as_an_event_comes())
