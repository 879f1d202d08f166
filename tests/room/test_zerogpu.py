"""A room on ZeroGPU, where every call spends somebody's quota."""

import pytest

from tests.engines.zerogpu.opened import Calls, open_tiny
from tests.room.classroom import Classroom

pytestmark = pytest.mark.anyio


async def test_one_call_serves_all_phones_of_a_round() -> None:
    calls = Calls()
    room = await Classroom(open_tiny(decorate=calls.decorate)).open(4)
    await room.begin("race", max_new_tokens=8)
    calls.lent.set()
    texts = []
    for phone in room.phones:
        assert (await phone.stream.until("end"))["error"] is None
        texts.append(phone.stream.text)
    assert len(calls.asked) == 1
    assert len(set(texts)) == 1
    assert texts[0]
