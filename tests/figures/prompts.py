"""The event loop's lag while clients send much text at once."""

import gc
import subprocess
import sys
import time
import urllib.request
from typing import Final

from fastapi import FastAPI

from demo.bench.client import Client
from demo.prompt_threads import LONG_PROMPT
from tests.api.serving import serve_api
from tests.figures.figure import Figure, summarise
from tests.figures.speed import open_engine
from tests.figures.streams import Late, LoopLag, find_held, find_late

SECONDS: Final = 2.0
ROUNDS: Final = 3
TEXT: Final = "The first step in making cheese is to heat the milk. "
IDLE: Final = "nothing"
HELD: Final = "late by, without waits for a core"
FLOODS: Final = {
    "prompts of 2 MB": ("/generate", {"inputs": TEXT * 39_000}, 1),
    "four times prompts of 2 MB": ("/generate", {"inputs": TEXT * 39_000}, 4),
    "two times prompts of 300 kB": ("/generate", {"inputs": TEXT * 5_700}, 2),
    "long texts to tokenize": ("/tokenize", {"inputs": TEXT * (10 * LONG_PROMPT // len(TEXT))}, 1),
    "a million values": ("/v1/chat/completions", {"messages": [0] * 690_000}, 1),
}


def measure_prompts() -> list[Figure]:
    lag = LoopLag()
    with open_engine(16) as engine, serve_api(engine, mount_page=lambda _: FastAPI(lifespan=lag.watch)) as url:
        late: dict[str, list[list[Late]]] = {name: [] for name in (IDLE, *FLOODS)}
        urllib.request.urlopen(f"{url}/health").close()  # once it answers, its loop runs
        gc.freeze()  # as the app does once its model is loaded
        for _ in range(ROUNDS):
            with lag.record() as lags:
                time.sleep(SECONDS)
            late[IDLE].append(lags)
            for name, (path, body, clients) in FLOODS.items():
                with lag.record() as lags:
                    _flood(url, path, body, clients)
                late[name].append(lags)
    return [
        summarise(f"event loop beside {name}: {what} (p{q})", "ms", [find(lags, q) for lags in rounds])
        for name, rounds in late.items()
        for what, find, q in (("late by", find_late, 50), ("late by", find_late, 99), (HELD, find_held, 99))
    ]


def _flood(url: str, path: str, body: object, clients: int) -> None:
    request = Client(url).write_post(path, body)
    command = [sys.executable, "-m", "tests.figures.flood", url.rpartition(":")[-1], str(SECONDS)]
    running = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(clients)]
    for each in running:
        assert each.stdin is not None
        each.stdin.write(request)
        each.stdin.close()
    for each in running:
        assert each.stdout is not None
        answered = int(each.stdout.read())
        each.stdout.close()
        assert each.wait() == 0
        assert answered > 0


if __name__ == "__main__":
    for figure in measure_prompts():
        print(figure, flush=True)
