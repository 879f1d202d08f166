"""A small build of the static page, for tests."""

from dataclasses import replace
from pathlib import Path

from demo.engines.replay import read_recordings
from demo.static.folder import write_folder
from demo.static.recordings import Recordings, read_all
from demo.ui.listeners.lesson import EXAMPLE
from tests.traces import make_trace

SLOW = replace(make_trace(["Skies ", "are ", "slow."], "Why is the sky blue?", gap=0.05), model_id="a/slow-model")
EXAMPLE_RUN = make_trace([f"{index} " for index in range(100)], EXAMPLE["question"], gap=0.005, reason="length")


def build_small(folder: Path, server: str | None = None) -> Path:
    """Two machines, one of them slow and with a prompt of its own, a short example, and all stories."""
    cheese, *_, benefits, _ = read_recordings()
    write_folder(folder, Recordings((cheese, benefits, SLOW), EXAMPLE_RUN, read_all().stories), server)
    return folder
