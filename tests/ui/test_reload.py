"""The button that has a failed model loaded again is shown beside the reason, and only to whoever may press it."""

from types import SimpleNamespace

import gradio as gr
import pytest

from demo.access import Access
from demo.engine import Broken, Loading, Ready, Status
from demo.errors import EngineFailed
from demo.ui.components.layout import Layout
from demo.ui.listeners.race import RaceListeners
from demo.ui.session import Sessions
from tests.scripted import CARD, ScriptedEngine

pytestmark = pytest.mark.anyio
ERROR = EngineFailed("The hub can't be reached.")
FAILED = Broken(ERROR, 1e9)
OPEN = Access(None, None)


async def is_shown(status: Status, access: Access | None, address: str) -> bool:
    with gr.Blocks():
        page = Layout()
    listeners = RaceListeners(ScriptedEngine(status), page, Sessions(), (), access)
    request = gr.Request(session_hash="tab", client=SimpleNamespace(host=address), headers={})
    watching = listeners.watch_model(request)
    line = (await anext(watching))[page.model]
    await watching.aclose()  # type: ignore[attr-defined]  # it is a generator
    return bool(line["reload"])


async def test_it_is_shown_while_a_failed_model_waits_for_the_next_attempt() -> None:
    assert await is_shown(FAILED, OPEN, "127.0.0.1")
    for status in (Ready(CARD), Loading("starting", failure=ERROR), Broken(ERROR)):
        assert not await is_shown(status, OPEN, "127.0.0.1")


@pytest.mark.parametrize("access", [OPEN, Access("key", None), Access("key", "other"), None])
async def test_it_is_not_shown_to_other_visitors(access: Access | None) -> None:
    assert not await is_shown(FAILED, access, "192.0.2.7")
    assert access == OPEN or not await is_shown(FAILED, access, "127.0.0.1")


async def test_it_is_shown_to_those_who_gave_the_key() -> None:
    assert await is_shown(FAILED, Access("key", "key"), "192.0.2.7")
