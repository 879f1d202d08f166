"""The app as `make run` starts it, with the model converted already."""

import subprocess
import sys
import time
import urllib.request
from typing import Final

import psutil

from tests.figures.figure import Figure, Round, summarise_rounds

STARTS: Final = 5


def measure_start() -> list[Figure]:
    """Seconds until the page answers and until the model is ready, and the resident memory then."""
    return summarise_rounds([_time_start() for _ in range(STARTS)])


def _time_start() -> Round:
    begin, page = time.perf_counter(), 0.0
    command = [sys.executable, "app.py", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("Listening on "):
                urllib.request.urlopen(line.split()[-1]).read()
                page = time.perf_counter() - begin
            if line.startswith("Ready"):
                break
        ready = time.perf_counter() - begin
        memory = psutil.Process(process.pid).memory_info().rss / 1e6
        process.terminate()
    return {
        ("start: until the page answers", "s"): page,
        ("start: until the model is ready", "s"): ready,
        ("start: resident memory when ready", "MB"): memory,
    }
