"""A room's events wake those who are told something, and nobody else: two hundred readers share the model's cores."""

import asyncio

import pytest

from demo.room.feed import EVERYBODY, Audience, Feed

pytestmark = pytest.mark.anyio


async def list_woken(feed: Feed, *told: Audience) -> set[Audience]:
    """The audiences whose readers go on when `told` are told something."""
    waiting = {audience: asyncio.ensure_future(feed.wait(audience)) for audience in EVERYBODY}
    await asyncio.sleep(0)
    feed.add("text", {audience: {"text": "a"} for audience in told})
    await asyncio.wait(waiting.values(), timeout=0.01)
    woken = {audience for audience, each in waiting.items() if each.done()}
    for each in waiting.values():
        each.cancel()
    return woken


async def test_an_event_wakes_the_audiences_that_are_told_it() -> None:
    assert await list_woken(Feed(), "teacher", "streamed") == {"teacher", "streamed"}


async def test_an_event_for_one_phone_wakes_everybody_since_its_arm_is_not_known() -> None:
    assert await list_woken(Feed(), "the phone's secret") == set(EVERYBODY)


async def test_the_end_wakes_everybody() -> None:
    feed = Feed()
    waiting = [asyncio.ensure_future(feed.wait(audience)) for audience in EVERYBODY]
    await asyncio.sleep(0)
    feed.end()
    async with asyncio.timeout(5):
        await asyncio.gather(*waiting)
