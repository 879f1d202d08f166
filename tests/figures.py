"""The README's figures, measured here and now: `make figures`.

The engine and transformers' own `generate` take turns on the same weights in one run, after a warm-up that is
dropped; then the app is started, and text is followed to the screen. The last line is one JSON document.
"""

import json
import platform
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, cast

import psutil
import torch
import transformers
from playwright.sync_api import sync_playwright
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.generation.streamers import BaseStreamer

from demo.engine.conversion import convert_once
from demo.engine.model import Model, load_model
from demo.engine.source import find_embedded
from demo.engine.worker import Worker
from demo.events import Done, Engine, Event, Failed, Loading, Log, Message, Request, Ticket, Token
from demo.metrics import measure_streamed
from demo.run import Run
from demo.settings import Settings
from tests.browser.chromium import launch
from tests.browser.paint_delay import TimedEngine, measure_delays
from tests.browser.serving import serve

PROMPT = (Message("user", "How do you make cheese?"),)
NEW_TOKENS = 128
ROUNDS = 5
ROWS = 8
PAGE_TOKENS = 64


@dataclass(frozen=True)
class Figure:
    """What was measured `n` times: the median, and the least and greatest seen."""

    name: str
    unit: str
    median: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.name:<58} {self.median:>8.2f}  ({self.low:.2f} to {self.high:.2f}, n = {self.n})  {self.unit}"


def summarise(name: str, unit: str, values: Sequence[float]) -> Figure:
    """The figure of some measured values."""
    return Figure(name, unit, median(values), min(values), max(values), len(values))


@dataclass(frozen=True)
class Sample:
    """One measurement of some requests at once: first token in ms, and tokens/s of all together."""

    ttft: float
    rate: float


class _FirstToken(BaseStreamer):
    """Notes when `generate` gives its first token; the first call hands over the prompt."""

    def __init__(self) -> None:
        self.calls = 0
        self.first = 0.0

    def put(self, value: object) -> None:
        self.calls += 1
        if self.calls == 2:
            self.first = time.perf_counter()

    def end(self) -> None:
        pass


def time_generate(network: PreTrainedModel, ids: Sequence[int]) -> Sample:
    """transformers' own `generate`, greedy, one request."""
    prompt, streamer, begin = torch.tensor([list(ids)]), _FirstToken(), time.perf_counter()
    options: dict[str, Any] = {"min_new_tokens": NEW_TOKENS, "max_new_tokens": NEW_TOKENS, "do_sample": False}
    cast(Any, network).generate(
        prompt, attention_mask=torch.ones_like(prompt), pad_token_id=0, streamer=streamer, **options
    )
    return Sample((streamer.first - begin) * 1e3, NEW_TOKENS / (time.perf_counter() - begin))


def time_engine(engine: Worker, requests: int) -> Sample:
    """Our engine, greedy, `requests` at once. The TTFT is their median."""
    runs = [Run(engine, Request(PROMPT, NEW_TOKENS, ignore_eos=True)) for _ in range(requests)]
    for reader in [run.attach() for run in runs]:
        for _ in reader:
            pass
    lines = [measure_streamed(run.submitted, run.events) for run in runs]
    last = max(run.submitted + (line.total or 0) for run, line in zip(runs, lines, strict=True))
    ttft = median(line.ttft or 0 for line in lines)
    return Sample(ttft * 1e3, requests * NEW_TOKENS / (last - runs[0].submitted))


def measure_speed() -> list[Figure]:
    """The engine beside `generate`, in turns."""
    model = load_model(Settings(), lambda loading: None)
    engine = Worker(lambda report: model, ROWS)
    _wait_for(engine)
    file = find_embedded()
    assert file is not None, "the embedded model is missing: make run installs it"
    network = AutoModelForCausalLM.from_pretrained(convert_once(file, print), dtype=torch.float32)
    ids = model.encode(PROMPT)
    contestants: dict[str, Callable[[], Sample]] = {
        "transformers generate, one": lambda: time_generate(network, ids),
        "this engine, one": lambda: time_engine(engine, 1),
        f"this engine, {ROWS} at once": lambda: time_engine(engine, ROWS),
    }
    rounds = [{name: measure() for name, measure in contestants.items()} for _ in range(ROUNDS + 1)][1:]
    engine.close()
    figures = []
    for name in contestants:
        figures.append(summarise(f"{name}: tokens/s in all", "tokens/s", [each[name].rate for each in rounds]))
        figures.append(summarise(f"{name}: TTFT", "ms", [each[name].ttft for each in rounds]))
    generate, one, many = contestants
    figures.append(summarise("ratio: engine / generate, one", "x", [r[one].rate / r[generate].rate for r in rounds]))
    figures.append(summarise(f"ratio: {ROWS} at once / one", "x", [r[many].rate / r[one].rate for r in rounds]))
    return figures


def measure_start() -> list[Figure]:
    """The app as `make run` starts it, with the model converted already: until its page answers, and until it can."""
    starts = [_time_start() for _ in range(ROUNDS)]
    return [
        summarise("start: until the page answers", "s", [page for page, _, _ in starts]),
        summarise("start: until the model is ready", "s", [ready for _, ready, _ in starts]),
        summarise("start: resident memory when ready", "MB", [memory for _, _, memory in starts]),
    ]


def _time_start() -> tuple[float, float, float]:
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
    return page, ready, memory


def measure_paint() -> Figure:
    """From the engine's first text to the screen, in headless Chromium, with a scripted engine."""
    engine = TimedEngine()
    with serve(engine) as served, sync_playwright() as playwright:
        page = launch(playwright).new_page()
        page.goto(served.url)
        delays = measure_delays(page, engine, runs=4 * ROUNDS)
    return summarise("browser: first text painted after it was made", "ms", [1e3 * delay for delay in delays])


class _Paced(Worker):
    """The engine, noting when each token of the last request was sampled."""

    def __init__(self, model: Model) -> None:
        super().__init__(lambda report: model, ROWS)
        self.tokens: list[float] = []
        self.ended = threading.Event()

    def submit(self, request: Request, log: Log) -> Ticket:
        self.tokens.clear()
        self.ended.clear()

        def note(*events: Event) -> None:
            self.tokens.extend(event.time for event in events if isinstance(event, Token))
            log(*events)
            if isinstance(events[-1], Done | Failed):
                self.ended.set()

        return super().submit(request, note)

    def wait_for_rate(self) -> float:
        """Tokens per second between the first token and the `PAGE_TOKENS`-th."""
        while len(self.tokens) < PAGE_TOKENS:
            time.sleep(0.1)
        return (PAGE_TOKENS - 1) / (self.tokens[PAGE_TOKENS - 1] - self.tokens[0])


def measure_page() -> list[Figure]:
    """What a browser on the same cores costs the engine: a run alone, one that a page shows, one behind another tab."""
    engine = _Paced(load_model(Settings(), lambda loading: None))
    _wait_for(engine)
    with serve(engine) as served, sync_playwright() as playwright:
        tabs = launch(playwright).new_context()
        page = tabs.new_page()

        def ask() -> None:
            page.goto(served.url)
            page.locator("#generate:enabled").wait_for()
            page.locator("#prompt textarea").fill(PROMPT[0].content)
            page.locator("#generate").click()

        def alone() -> float:
            run = Run(engine, Request(PROMPT, PAGE_TOKENS, ignore_eos=True))
            for _ in run.attach():
                pass
            return engine.wait_for_rate()

        def leave() -> float:
            rate = engine.wait_for_rate()
            page.goto("about:blank")
            engine.ended.wait()
            return rate

        def shown() -> float:
            ask()
            return leave()

        def hidden() -> float:
            ask()
            with tabs.new_page() as cover:
                cover.bring_to_front()
                return leave()

        rounds = [(alone(), shown(), hidden()) for _ in range(ROUNDS + 1)][1:]
    return [
        summarise("a page on the same cores: none, engine's own pace", "tokens/s", [none for none, _, _ in rounds]),
        summarise("ratio: page shown / none", "x", [shown / none for none, shown, _ in rounds]),
        summarise("ratio: page behind another tab / none", "x", [hidden / none for none, _, hidden in rounds]),
    ]


def _wait_for(engine: Engine) -> None:
    while isinstance(engine.status, Loading):
        time.sleep(0.01)


def describe() -> str:
    """The conditions, on one line."""
    return (
        f"SmolLM2-135M-Instruct, cpu, float32, {torch.get_num_threads()} threads, 36 prompt and {NEW_TOKENS} new "
        f"tokens, greedy; Python {platform.python_version()}, torch {torch.__version__}, "
        f"transformers {transformers.__version__}, {platform.machine()}"
    )


def main() -> None:
    """Measure everything and print it."""
    figures = [*measure_speed(), *measure_start(), measure_paint(), *measure_page()]
    conditions = describe()
    print(conditions)
    for figure in figures:
        print(figure)
    print(json.dumps({"conditions": conditions, "figures": [asdict(figure) for figure in figures]}))


if __name__ == "__main__":
    main()
