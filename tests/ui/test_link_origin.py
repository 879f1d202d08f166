"""A link can show any text as a run: what it shows says that this server did not make it."""

import gradio as gr
import pytest

from demo.trace import Trace, write_fragment
from demo.ui.components.layout import Layout
from demo.ui.listeners.lesson import LessonListeners
from demo.ui.listeners.race import RaceListeners
from demo.ui.session import Sessions
from demo.ui.view.words import FROM_LINK
from tests.scripted import ScriptedEngine
from tests.traces import make_trace

pytestmark = pytest.mark.anyio
FORGED: Trace = make_trace(["The bank ", "asks for ", "your PIN."], "Hello")


async def test_a_run_from_a_link_is_labelled_as_such_also_when_it_is_played_again(engine: ScriptedEngine) -> None:
    with gr.Blocks():
        page = Layout()
    sessions = Sessions()
    session, controls = sessions.find("tab"), [control.value for control in page.controls.values()]
    request = gr.Request(session_hash="tab", client=None)
    opened = await LessonListeners(engine, page, sessions).open_link(request, f"trace={write_fragment(FORGED)}")
    assert "it was not made by this server" in opened[page.message]["text"]
    assert session.race is not None
    assert session.race.label == FROM_LINK
    async for _ in session.race.stream():
        pass
    async for _ in session.race.report_progress():
        pass
    await session.race.wait()
    await RaceListeners(engine, page, sessions).retry(request, ["", False, *controls])
    assert session.race.label.startswith(FROM_LINK)
    assert engine.tickets == []
