"""The page in front of an engine that types by itself, as its own process: python -m tests.browser.typing_app PORT."""

import logging
import sys

from fastapi import FastAPI

from demo.api.application import create_api
from demo.api.server import Server
from demo.engines.metered import MeteredEngine
from demo.settings import Settings
from demo.ui.page import mount_page
from tests.scripted import TypingEngine

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    settings = Settings(port=int(sys.argv[1]))
    server = Server(settings)
    engine = MeteredEngine(TypingEngine([f"word{index} " for index in range(200)], 0.05))
    api = create_api(engine, settings, mount_page(FastAPI(), engine), server.url, server.allowed_hosts)
    server.serve(api, engine.close)
