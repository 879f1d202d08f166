"""A room's events wake those who are told something, and nobody else: two hundred readers share the model's cores."""

import asyncio
from collections.abc import Callable

import pytest

from demo.room.feed import EVERYBODY, Audience, Feed

pytestmark = pytest.mark.anyio


def tell(*told: Audience) -> Callable[[Feed], None]:
    return lambda feed: feed.add("text", {audience: {"text": "a"} for audience in told})


@pytest.mark.parametrize(
    ("happen", "woken"),
    [
        pytest.param(tell("teacher", "streamed"), {"teacher", "streamed"}, id="an event wakes those that are told it"),
        pytest.param(tell("the phone's secret"), set(EVERYBODY), id="one for a phone wakes all: its arm is not known"),
        pytest.param(Feed.end, set(EVERYBODY), id="the end wakes everybody"),
    ],
)
async def test_what_happens_wakes_those_who_are_told(happen: Callable[[Feed], None], woken: set[Audience]) -> None:
    feed = Feed()
    waiting = {audience: asyncio.ensure_future(feed.wait(audience)) for audience in EVERYBODY}
    await asyncio.sleep(0)
    happen(feed)
    await asyncio.wait([waiting[audience] for audience in woken], timeout=5)
    assert {audience for audience, each in waiting.items() if each.done()} == woken
    for each in waiting.values():
        each.cancel()
