"""How long from the engine's first text to the screen: `python -m tests.browser.paint_delay [RUNS]`.

Both moments are wall-clock times of one machine: the engine's thread notes `time.time()` when it writes,
the page notes when the frame with the text had been painted. The first run, which loads things, is dropped.
"""

import json
import statistics
import sys
import threading
import time
from typing import Final

from playwright.sync_api import Page, expect, sync_playwright

from demo.engine import Log, Ticket
from demo.request import Request
from tests.browser.chromium import launch
from tests.browser.serving import serve
from tests.scripted import ScriptedEngine, ScriptedTicket

FIRST: Final = 0.08  # seconds to the first token: what the embedded model takes on two cores
PACE: Final = 0.011
TOKENS: Final = 30
PAINTED: Final = "Number(document.getElementById('streamed-text').dataset.paintedAt)"


class TimedEngine(ScriptedEngine):
    """Types an answer at the embedded model's pace and notes, for each run, when its first token was written."""

    def __init__(self) -> None:
        super().__init__()
        self.first_writes: list[float] = []

    def submit(self, request: Request, log: Log) -> Ticket:
        ticket = ScriptedTicket(request, log)
        self.tickets.append(ticket)
        threading.Thread(target=self._type, args=(ticket,), daemon=True).start()
        return ticket

    def _type(self, ticket: ScriptedTicket) -> None:
        ticket.start()
        threading.Event().wait(FIRST)
        self.first_writes.append(time.time())
        for index in range(TOKENS):
            if ticket.cancelled:
                return
            ticket.write(f" word{index}")
            threading.Event().wait(PACE)
        ticket.finish("eos_token")


def measure_delays(page: Page, engine: TimedEngine, runs: int) -> list[float]:
    """The delays of `runs` runs on an open page, in seconds."""
    delays = []
    painted = 0.0
    for run in range(1, runs + 2):
        page.locator("#prompt textarea").fill("Hello")
        page.locator("#generate").click()
        page.wait_for_function(f"before => {PAINTED} > before", arg=painted)
        expect(page.locator("#numbers tbody tr")).to_have_count(2 * run)
        painted = page.evaluate(PAINTED)
        delays.append(painted / 1000 - engine.first_writes[-1])
    return delays[1:]


def main(runs: str = "20") -> None:
    """Measure and print: a line for people, then one JSON document."""
    engine = TimedEngine()
    with serve(engine) as served, sync_playwright() as playwright:
        page = launch(playwright).new_page()
        page.goto(served.url)
        expect(page.locator("#generate")).to_be_enabled()
        delays = sorted(1000 * delay for delay in measure_delays(page, engine, int(runs)))
    median = statistics.median(delays)
    print(
        f"first text painted {median:.0f} ms after it was made (median of {runs}; {delays[0]:.0f} to {delays[-1]:.0f})"
    )
    print(json.dumps({"paint_delay_ms": {"median": median, "all": delays}}))


if __name__ == "__main__":
    main(*sys.argv[1:])
