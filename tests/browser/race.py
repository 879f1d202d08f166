"""What a test does to the engine's side of a race."""

import threading

from tests.browser.tab import Tab
from tests.scripted import ScriptedEngine, ScriptedTicket


def watch_cancel(ticket: ScriptedTicket) -> threading.Event:
    """An event that is set when `ticket` has been given back."""
    cancel, cancelled = ticket.cancel, threading.Event()

    def note() -> None:
        cancel()
        cancelled.set()

    ticket.cancel = note  # type: ignore[method-assign]
    return cancelled


def answer(ticket: ScriptedTicket, *texts: str) -> None:
    ticket.start()
    ticket.write(*texts)
    ticket.finish()


def start_race(tab: Tab, engine: ScriptedEngine, text: str) -> None:
    """The tab's first question, and the beginning of its answer."""
    tab.ask("Hello")
    engine.tickets[0].start()
    engine.tickets[0].write(text)
