"""The page in front of an engine that answers at once, as its own process.

python -m tests.figures.tabs_app [MAX_TABS UNREAD_SECONDS]
"""

import gc
import logging
import queue
import sys
import threading

from fastapi import FastAPI

from demo.api.application import create_api
from demo.api.server import Server
from demo.engine import Log, Ticket
from demo.engines.metered import MeteredEngine
from demo.request import Request
from demo.settings import Settings
from demo.ui.page import mount_page
from demo.ui.tabs import Tabs
from tests.scripted import ScriptedEngine, ScriptedTicket


class EagerEngine(ScriptedEngine):
    """Answers each request in turn, token by token without a pause, from one thread, as the local engine does."""

    def __init__(self) -> None:
        super().__init__()
        self._submitted_tickets: queue.SimpleQueue[ScriptedTicket] = queue.SimpleQueue()
        threading.Thread(target=self._answer_all, daemon=True).start()

    def submit(self, request: Request, log: Log) -> Ticket:
        ticket = ScriptedTicket(request, log)
        self._submitted_tickets.put(ticket)
        return ticket

    def _answer_all(self) -> None:
        while True:
            ticket = self._submitted_tickets.get()
            ticket.start()
            for number in range((ticket.request.max_new_tokens or 1) - 1):
                ticket.write(f"word{number} ")
            ticket.write_last("end", "length")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    settings = Settings(port=0)
    server = Server(settings)
    engine = MeteredEngine(EagerEngine())
    tabs = Tabs(int(sys.argv[1]), float(sys.argv[2])) if len(sys.argv) > 2 else Tabs()
    app = create_api(engine, settings, mount_page(FastAPI(), engine, tabs=tabs), server.url)
    gc.freeze()  # as the app does once its model is loaded
    server.serve(app, engine.close)
