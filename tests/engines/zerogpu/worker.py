"""A ZeroGPU engine with the platform's own package, whose workers are forked processes: the device alone is faked.

Run as a program, since the package is configured by the environment as it is imported. It prints a line of JSON. The
device's service is an HTTP server here; imported without torch, the package moves no tensor, so workers use the CPU.
"""

import json
import os
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from mmap import mmap
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

QUOTA = {"left": 3, "wait": 3600}


class Device(BaseHTTPRequestHandler):
    """The service that lends a GPU: it notes what it is asked, and refuses the visitor with the token `poor`."""

    noted: list[tuple[str, dict[str, str]]] = []  # noqa: RUF012
    lends = threading.Semaphore(0)

    def do_POST(self) -> None:
        path, _, asked = self.path.partition("?")
        query = dict(parse_qsl(asked))
        self.noted.append((path, query))
        if path == "/schedule" and query.get("token") == "poor":
            self.answer(429, QUOTA)
        elif path == "/schedule":
            self.answer(200, {"idle": True, "nvidiaIndex": 0, "nvidiaUUID": "GPU", "allowToken": "a"})
        else:
            self.answer(200, {})

    def answer(self, status: int, body: object) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        """Not on stderr."""


def import_spaces(folder: str) -> Any:
    """The package, as on the platform, but without a device for torch."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Device)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    group = os.path.join(folder, "cgroup")
    with open(group, "w") as file:
        file.write("0::/space\n")
    os.environ |= {
        "SPACES_ZERO_GPU": "true",
        "SPACES_ZERO_DEVICE_API_URL": f"http://127.0.0.1:{server.server_port}",
        "ZEROGPU_PROC_SELF_CGROUP_PATH": group,
        "HOME": folder,
    }
    sys.modules["torch"] = None  # type: ignore[assignment]
    spaces = import_module("spaces")
    del sys.modules["torch"]
    return spaces


def main() -> dict[str, object]:
    folder = tempfile.mkdtemp()
    spaces = import_spaces(folder)
    # After the package: these import torch.
    from gradio.context import LocalContext
    from starlette.datastructures import Headers

    from demo.engines.local.engine import LocalEngine
    from demo.engines.zerogpu.engine import ZeroGpuEngine
    from demo.engines.zerogpu.generation import Generator
    from demo.engines.zerogpu.gpu_run import Platform
    from demo.engines.zerogpu.gradio_context import QueuedCall
    from demo.engines.zerogpu.opening import make_call
    from demo.events import Token
    from demo.request import Request, Sampling
    from demo.run import Run
    from tests.engines.local.answers import read
    from tests.engines.local.conftest import wait_until_loaded
    from tests.engines.local.tiny import make_model, make_network

    model, flags = make_model(make_network()), mmap(-1, 4)
    call = make_call(Generator(lambda: model.runner, model.vocabulary, flags))
    call = spaces.GPU(duration=lambda asked: asked.seconds)(call)
    engine = ZeroGpuEngine(model, Platform(call, flags, lambda run: QueuedCall(run, 1).enter()))
    import_module("spaces.zero").startup()

    def begin(request: Request, token: str) -> Run:
        LocalContext.request.set(SimpleNamespace(headers=Headers({"x-ip-token": token})))  # type: ignore[arg-type]
        return Run(engine, request)

    def join() -> None:
        for run in tuple(engine._open):
            run.join(30)

    seeded = Request("once", 24, Sampling(do_sample=True, seed=7), ignore_eos=True)
    before = time.perf_counter()
    first = read(begin(seeded, "rich"))
    after = time.perf_counter()
    join()
    long = begin(Request("once", 400, ignore_eos=True), "rich")
    next(batch for batch in long.attach() if any(isinstance(event, Token) for event in batch))
    stopped_at = time.perf_counter()
    long.cancel()
    join()
    released = time.perf_counter() - stopped_at
    refused = read(begin(seeded, "poor"))
    join()
    again = read(begin(seeded, "rich"))
    engine.close()
    local = LocalEngine(lambda report: model, 4)
    wait_until_loaded(local)
    return {
        "ids": [first.ids, again.ids, read(Run(local, seeded)).ids],
        "stamps_are_on_our_clock": before < first.events[0].time <= first.events[-1].time < after,
        "stopped": [getattr(long.end, "finish_reason", None), len(long.events), released],
        "refused": [type(refused.failed.error).__name__, str(refused.failed.error)],
        "asked": [query.get("token") for path, query in Device.noted if path == "/schedule"],
        "seconds": [query["durationSeconds"] for path, query in Device.noted if path == "/schedule"],
        "reports": sum(path == "/startup-report" for path, _ in Device.noted),
        "releases": sum(path == "/release" for path, _ in Device.noted),
        "workers": sum(path == "/allow" for path, _ in Device.noted),
    }


if __name__ == "__main__":
    print(json.dumps(main()))
