"""Recorded runs for `assets/traces`: `python -m tests.recordings`. Real runs of the example prompts, as the page asks.

Made by whatever model the settings choose, one after the other on an idle machine, after a warm-up.
"""

import json
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from demo.engine import Broken, Engine, Loading, Ready
from demo.engines.local.engine import open_engine
from demo.engines.replay import RECORDINGS
from demo.examples import read_examples
from demo.request import Message, Request, Sampling
from demo.run import Run
from demo.settings import read_settings
from demo.trace import Trace, trace_run, write_trace
from demo.ui.view.options import DEFAULT_REPETITION_PENALTY
from demo.ui.view.speed import DEFAULT_LENGTH


def record(engine: Engine, prompt: str) -> Trace:
    """One run, to its end."""
    status = engine.status
    assert isinstance(status, Ready)
    sampling = Sampling(repetition_penalty=DEFAULT_REPETITION_PENALTY)
    run = Run(engine, Request((Message("user", prompt),), DEFAULT_LENGTH, sampling, cache_prompt=False))
    for _ in run.attach():
        pass
    trace = trace_run(run, status.card)
    assert trace is not None, f"the run of {prompt!r} broke"
    return trace


def main(arguments: Sequence[str]) -> None:
    """Record every example prompt."""
    engine = open_engine(read_settings(arguments), on_broken=lambda: None)
    while isinstance(engine.status, Loading):
        time.sleep(0.1)
    assert not isinstance(engine.status, Broken), engine.status
    record(engine, "Hello")
    for number, prompt in enumerate(read_examples(), start=1):
        trace = record(engine, prompt)
        path = Path(RECORDINGS) / f"{number}-{'-'.join(re.findall('[a-z]+', prompt.lower())[:4])}.json"
        path.write_text(json.dumps(write_trace(trace), ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8")
        print(path.name, len(trace.tokens), "tokens,", f"{trace.events[-1].time:.1f} s")
    engine.close()


if __name__ == "__main__":
    main(sys.argv[1:])
