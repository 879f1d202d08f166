"""What a test does to a race, and to the engine's side of one."""

from typing import Final

from tests.browser.tab import Tab
from tests.scripted import ScriptedEngine, ScriptedTicket

BUSY: Final = "Model is overloaded: 4 requests are being answered. Try again in a moment."


def begin(engine: ScriptedEngine, *texts: str, number: int = 1) -> ScriptedTicket:
    """The beginning of the answer to request `number`, once it is there."""
    ticket = engine.wait_for_ticket(number)
    ticket.start()
    ticket.write(*texts)
    return ticket


def answer(ticket: ScriptedTicket, *texts: str) -> None:
    """The whole answer; its last token and its end come together, as an engine's do."""
    ticket.start_with(*texts[:-1])
    ticket.write_last(texts[-1], "length")


def start_race(tab: Tab, engine: ScriptedEngine, *texts: str) -> None:
    """The tab's first question, and the beginning of its answer on the streamed side."""
    tab.ask("Hello")
    begin(engine, *texts)
    tab.expect_text("streamed", "".join(texts).strip())


def run_race(tab: Tab, engine: ScriptedEngine, question: str, *texts: str) -> None:
    """A question and its whole answer, on both sides."""
    tab.ask(question)
    answer(engine.tickets[-1], *texts)
    tab.expect_both("done")
