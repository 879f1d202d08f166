"""Recorded runs for `assets/traces`: `python -m tests.recordings [NAME [PROMPT …]] [--dtype float32 …]`.

Real runs of the example prompts, as the page asks, by whatever model the settings choose, one after the other on an
idle machine, after a warm-up. With a NAME they go to `assets/traces/machines/NAME`, from where the static page offers
them beside the others; PROMPT are the numbers of those to record, all by default. Without a NAME they are those that a
server plays too, and the static page's example and stories.
"""

import json
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import dropwhile, takewhile
from pathlib import Path

from demo.engine import Broken, Engine, Loading, Ready
from demo.engines.local.engine import open_engine
from demo.engines.replay import RECORDINGS
from demo.examples import read_examples
from demo.request import Message, Request, Sampling
from demo.run import Run
from demo.settings import read_settings
from demo.static.recordings import EXAMPLE_FILE, MACHINES, STORIES
from demo.trace import Trace, trace_run, write_trace
from demo.ui.files import LESSON
from demo.ui.listeners.lesson import EXAMPLE, EXAMPLE_SAMPLING
from demo.ui.view.options import DEFAULTS, read_options
from tests.comparison.machine import name_machine

STORY: Request = Request(
    "-", 300, Sampling(do_sample=True, temperature=0.7, top_p=0.9, repetition_penalty=1.1, seed=1), cache_prompt=False
)  # as the station asks: see assets/lesson/perceived/round.js
STORY_QUESTION = "Tell me a very long story."


def record(engine: Engine, request: Request) -> Trace:
    """One run, to its end."""
    status = engine.status
    assert isinstance(status, Ready)
    run = Run(engine, request)
    for _ in run.attach():
        pass
    trace = trace_run(run, status.card)
    assert trace is not None, f"the run of {request.prompt!r} broke"
    return replace(trace, machine=name_machine())


def ask(question: str) -> Request:
    """A question as the page asks it."""
    options = read_options(list(DEFAULTS.values()))
    return Request((Message("user", question),), options.max_new_tokens, options.sampling, cache_prompt=False)


def list_questions(folder: Path) -> Iterator[tuple[Path, Request]]:
    """The example prompts, each with its file."""
    for number, prompt in enumerate(read_examples(), start=1):
        yield folder / f"{number}-{_name(prompt)}.json", ask(prompt)


def list_others(engine: Engine) -> Iterator[tuple[Path, Request]]:
    """The documentation's example, and the stories of the station about perceived latency."""
    message = Message("user", EXAMPLE["question"])
    yield EXAMPLE_FILE, Request((message,), max(EXAMPLE["lengths"]), EXAMPLE_SAMPLING, ignore_eos=True)
    before, _ = engine.tokenize((Message("user", STORY_QUESTION),))
    for number, opening in enumerate(read_openings(), start=1):
        path = STORIES / f"{number:02}-{_name(opening)}.json"
        yield path, Request(before + opening, STORY.max_new_tokens, STORY.sampling, cache_prompt=False)


def read_openings() -> list[str]:
    """The beginnings of the stories, from the station's script."""
    script = (LESSON / "perceived" / "round.js").read_text("utf-8")
    _, _, rest = script.partition("OPENINGS = [")
    return re.findall(r'"([^"]+)",', rest.partition("];")[0])


def _name(text: str) -> str:
    return "-".join(re.findall("[a-z]+", text.lower())[:4])


def main(arguments: Sequence[str]) -> None:
    is_named = bool(arguments) and not arguments[0].startswith("--")
    name, flags = (arguments[0], arguments[1:]) if is_named else (None, arguments)
    numbers = {int(each) for each in takewhile(str.isdigit, flags)}
    settings = read_settings(list(dropwhile(str.isdigit, flags)))
    engine = open_engine(settings, on_broken=lambda: None)
    while isinstance(engine.status, Loading):
        time.sleep(0.1)
    assert not isinstance(engine.status, Broken), engine.status
    record(engine, ask("Hello"))
    questions = enumerate(list_questions(MACHINES / name if name else RECORDINGS), start=1)
    chosen = [each for number, each in questions if not numbers or number in numbers]
    for path, request in [*chosen, *([] if name else list_others(engine))]:
        trace = record(engine, request)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(write_trace(trace), ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8")
        print(path.name, len(trace.tokens), "tokens,", f"{trace.events[-1].time:.1f} s", flush=True)
    engine.close()


if __name__ == "__main__":
    main(sys.argv[1:])
