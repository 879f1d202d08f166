"""The page's own limits: many tabs at once."""

import asyncio
from contextlib import closing

from tests.browser.serving import serve
from tests.figures.tab import Tab
from tests.scripted import ScriptedEngine

TABS = 20  # Gradio by itself runs the listeners of thirteen


async def answer_all() -> None:
    """Every tab shows the beginning of its answer before any of them ends."""
    engine = ScriptedEngine()
    with serve(engine) as served:
        tabs = [Tab(served.url) for _ in range(TABS)]
        for number, tab in enumerate(tabs, start=1):
            tab.values[tab.ids["prompt"]] = "Hello"
            tab.click("generate")
            ticket = engine.wait_for_ticket(number)
            ticket.start()
            ticket.write("Hi")
            assert tab.updated.wait(20), f"tab {number} waits for others to end"
        for ticket in engine.tickets:
            ticket.finish()
        for tab in tabs:
            with closing(tab):
                assert tab.idle.wait(30)


def test_twenty_tabs_are_answered_at_once() -> None:
    asyncio.run(answer_all())  # in an event loop, since Gradio would make one, and never close it
