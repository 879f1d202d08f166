"""Compose: settings → server → engine → API → page. `python app.py` starts it, here and on a Hugging Face Space."""

import gc
import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial

if __name__ == "__main__":
    # Ctrl-C during the imports ends without a traceback. Once the server runs, it shuts down in order.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

gc.disable()  # imports leave no garbage, and its collection takes a fifth of the start; the loaded engine enables it
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
# torch silences this warning of its own import by a switch of the whole process, which another thread may turn back.
warnings.filterwarnings("ignore", ".*LeafSpec", FutureWarning)

from fastapi import FastAPI

from demo.access import describe_access, describe_public, read_access
from demo.api.application import create_api
from demo.api.ending import Ending
from demo.api.server import Server
from demo.engine import Broken, Engine
from demo.engines.draining import Drain, DrainingEngine
from demo.engines.endpoint.engine import open_endpoint
from demo.engines.fair_engine import FairEngine
from demo.engines.local.engine import open_engine, release_memory
from demo.engines.local.loading.hub_reach import can_reach_hub
from demo.engines.metered import MeteredEngine
from demo.engines.reloading import ReloadingEngine
from demo.engines.replay import open_replay, read_recordings
from demo.engines.zerogpu.opening import is_zerogpu, open_zerogpu, serve_visitors
from demo.errors import DemoError
from demo.log_format import PrintableFormatter
from demo.room.public_address import PublicAddress
from demo.room.routes import build_room_routes
from demo.settings import Settings, read_settings
from demo.trace import Trace


def main(arguments: Sequence[str]) -> int:
    """Serve until a signal. The exit code: 2, after one sentence, where a setting or the model can't be used."""
    logger = logging.getLogger("demo")  # not the root: huggingface_hub would log everything twice
    logger.setLevel(logging.INFO)
    handler = logging.StreamHandler()
    handler.setFormatter(PrintableFormatter())
    logger.addHandler(handler)
    try:
        settings = read_settings(arguments)
        recordings = read_recordings()
        server = Server(settings)
    except DemoError as error:
        return _report(error)
    # Before the engine imports torch in its thread: the page would be there a second later.
    mount_page = import_page(settings)
    logger.info("%s", describe_access(settings))
    logger.info("%s", describe_public(settings, server.is_reached))
    drain = Drain(settings.drain_timeout)
    chosen = choose_engine(settings, recordings, server)
    reload = chosen.reload if isinstance(chosen, ReloadingEngine) else None
    engine = MeteredEngine(DrainingEngine(FairEngine(chosen), drain))
    options = {"recordings": recordings, "access": read_access(settings), "reaches_hub": can_reach_hub}
    page = mount_page(FastAPI(), engine, **options) if mount_page else None
    address = PublicAddress.choose(settings.public_url, server.port, server.is_reached, os.environ)
    rooms = build_room_routes(engine, recordings, address, drain) if mount_page else None
    api = create_api(engine, settings, page, server.url, server.allowed_hosts, reload, drain, rooms)
    served = serve_visitors(api) if is_zerogpu() else api
    server.serve(served, on_exit=partial(_end, drain, engine), ending=Ending(drain, engine))
    status = engine.status
    return _report(status.error) if isinstance(status, Broken) and not keeps_serving(settings) else 0


def _end(drain: Drain, engine: Engine) -> None:
    drain.begin()  # after SIGINT too: it is what closes the rooms
    engine.close()


def choose_engine(settings: Settings, recordings: Sequence[Trace], server: Server) -> Engine:
    """Recorded runs, or the model: on ZeroGPU; or here, where it is loaded again or the server stops when it breaks."""
    if settings.replay_only:
        return open_replay(recordings, settings)
    if settings.endpoint is not None:  # it may come at any time: it is waited for, also where a model would not be
        return ReloadingEngine(lambda on_broken: open_endpoint(settings, on_broken))
    if is_zerogpu():
        return open_zerogpu(settings, server.port)
    if keeps_serving(settings):
        return ReloadingEngine(lambda on_broken: open_engine(settings, on_broken), release=release_memory)
    return open_engine(settings, on_broken=server.stop)


def keeps_serving(settings: Settings) -> bool:
    """Whether the server stays where the model fails: as set, else on a Space, whose visitors can start nothing."""
    return "SPACE_ID" in os.environ if settings.keep_serving is None else settings.keep_serving


def import_page(settings: Settings) -> Callable[..., FastAPI] | None:
    """The function that mounts the page; None with --no-ui, and then Gradio is not imported."""
    if settings.no_ui:
        return None
    from demo.ui.page import mount_page

    return mount_page


def _report(error: DemoError) -> int:
    print(error, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
