"""How fairly the engine is shared, as ratios of one run: `python -m tests.figures.fairness` prints these alone.

Requests go through the Engine protocol, greedy, past the end token. Each prompt has a unique beginning, and prefix
caching is off except in the last measurement. Rounds follow a warm-up that is dropped; a ratio is paired by round. A
stream's evenness is the p95 gap between its tokens while other prompts are read, over its median gap then and before.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median
from typing import Final

from demo.engine import Engine
from demo.metrics import percentile
from demo.request import Message
from demo.run import Run
from tests.figures import probes
from tests.figures.figure import Figure, Round, summarise_rounds
from tests.figures.speed import open_engine

LIMIT: Final = 64  # requests at once
SHORT: Final = 20  # tokens of a prompt
LONG: Final = 3400
PAGE: Final = 1000
QUESTION: Final = 200
FEW: Final = 8  # new tokens
QUIET_TOKENS: Final = 60  # of a stream before other requests come
ENDLESS: Final = 3500  # new tokens of a stream that is cancelled
STREAMS: Final = 3
PAGES: Final = 20
REQUESTS: Final = 30  # of the client that sends many
GREEDY: Final = 32  # streams of one client: half of LIMIT
ANSWER: Final = 60  # new tokens of another client's answer
ROUNDS: Final = 5
HEAVY_ROUNDS: Final = 3


def measure_fairness() -> Iterator[Figure]:
    """All measurements, of one engine."""
    measurements: list[tuple[Callable[[Engine, str], Round], int]] = [
        (partial(_measure_short_behind_long, streams=0), ROUNDS),
        (partial(_measure_short_behind_long, streams=STREAMS), ROUNDS),
        (partial(_measure_evenness, name=f"a stream, {LONG} read", length=LONG), ROUNDS),
        (partial(_measure_evenness, name=f"a stream, {LONG} scored", length=LONG, scores=True), ROUNDS),
        (_measure_pages, HEAVY_ROUNDS),
        (partial(_measure_evenness, name=f"a stream beside {PAGES} pages", length=PAGE, prompts=PAGES), HEAVY_ROUNDS),
        (_measure_clients, HEAVY_ROUNDS),
        (_measure_greedy, HEAVY_ROUNDS),
        (_measure_second_turn, ROUNDS),
    ]
    with open_engine(LIMIT) as engine:
        _time_alone(engine, "warm-up", LONG)
        for index, (measure, rounds) in enumerate(measurements):
            yield from summarise_rounds([measure(engine, f"{index} {number}") for number in range(rounds)])


def _measure_short_behind_long(engine: Engine, key: str, streams: int) -> Round:
    """A short prompt that arrives while a long one is read, alone or beside streams."""
    short_alone, long_alone = _time_alone(engine, key, SHORT), _time_alone(engine, key, LONG)
    with _stream(engine, key, streams):
        long = _ask(engine, f"{key} long", LONG)
        probes.wait_for_reading(long)
        short = _ask(engine, f"{key} short", SHORT)
        probes.wait_for_end(long, short)
    ttft, beside = probes.read_ttft(short), f", {streams} streams" if streams else ""
    return {
        (f"{SHORT} tokens behind {LONG}{beside}: TTFT", "ms"): 1e3 * ttft,
        (f"ratio: {SHORT} behind {LONG}{beside} / alone", "x"): ttft / short_alone,
        (f"ratio: that {LONG}{beside} / alone", "x"): probes.read_ttft(long) / long_alone,
    }


def _measure_evenness(
    engine: Engine, key: str, name: str, length: int, prompts: int = 1, scores: bool = False
) -> Round:
    """A running stream's gaps that overlap with the reading, or scoring, of prompts."""
    texts = [probes.write_text(engine, f"{key} {at}", length) for at in range(prompts)]
    with _stream(engine, key, 1) as (stream,):
        others = [probes.start(engine, text, FEW, prompt_logprobs=scores) for text in texts]
        probes.wait_for_end(*others)
        begin, end = others[0].submitted, max(other.submitted + probes.read_ttft(other) for other in others)
        gaps = probes.list_gaps(stream)
    before = [later - earlier for earlier, later in gaps if later <= begin]
    during = [later - earlier for earlier, later in gaps if later > begin and earlier < end]
    p95 = percentile(during, 95) or 0.0
    return {
        (f"ratio: {name}: p95 / median gap", "x"): p95 / median(during),
        (f"ratio: {name}: p95 / median gap before", "x"): p95 / median(before),
    }


def _measure_pages(engine: Engine, key: str) -> Round:
    """Pages that a class submits at once, and a short question behind them."""
    short_alone, page_alone = _time_alone(engine, key, SHORT), _time_alone(engine, key, PAGE)
    texts = [probes.write_text(engine, f"{key} {page}", PAGE) for page in range(PAGES)]
    question = probes.write_text(engine, f"{key} short", SHORT)
    pages = [probes.start(engine, text, FEW) for text in texts]
    probes.wait_for_reading(pages[0])
    short = probes.start(engine, question, FEW)
    probes.wait_for_end(*pages, short)
    last = max(page.submitted + probes.read_ttft(page) for page in pages) - pages[0].submitted
    ttft, name = probes.read_ttft(short), f"{PAGES} pages of {PAGE} tokens"
    return {
        (f"{SHORT} tokens behind {name}: TTFT", "ms"): 1e3 * ttft,
        (f"ratio: {SHORT} behind {PAGES} pages / alone", "x"): ttft / short_alone,
        (f"ratio: {name}: last / {PAGES} alone", "x"): last / PAGES / page_alone,
    }


def _measure_clients(engine: Engine, key: str) -> Round:
    """A client with one request behind a client with many; all prompts are equally long."""
    alone = _time_alone(engine, key, QUESTION)
    texts = [probes.write_text(engine, f"{key} {at}", QUESTION) for at in range(REQUESTS + 1)]
    many = [probes.start(engine, text, 4 * FEW, client="many") for text in texts[1:]]
    one = probes.start(engine, texts[0], 4 * FEW, client="one")
    probes.wait_for_end(*many, one)
    ttft, name = probes.read_ttft(one), f"one behind another client's {REQUESTS}"
    return {
        (f"{name}: TTFT", "ms"): 1e3 * ttft,
        (f"ratio: {name} / alone", "x"): ttft / alone,
        (f"ratio: {name} / their median", "x"): ttft / median(probes.read_ttft(each) for each in many),
    }


def _measure_greedy(engine: Engine, key: str) -> Round:
    """A stream of one client beside as many streams of another client as it may have."""
    texts = [probes.write_text(engine, f"{key} {at}", SHORT) for at in range(GREEDY + 2)]
    alone = probes.start(engine, texts[0], ANSWER, client="one")
    probes.wait_for_end(alone)
    many = [probes.start(engine, text, ENDLESS, client="many") for text in texts[2:]]
    for run in many:
        probes.wait_for_tokens(run, 2)
    one = probes.start(engine, texts[1], ANSWER, client="one")
    probes.wait_for_end(one)
    begin, end = one.submitted + probes.read_ttft(one), probes.list_gaps(one)[-1][1]
    theirs = sum(begin < later <= end for run in many for _, later in probes.list_gaps(run))
    for run in many:
        run.cancel()
    probes.wait_for_end(*many)
    name = f"a stream beside another client's {GREEDY}"
    return {
        (f"ratio: {name}: median gap / alone", "x"): _find_median_gap(one) / _find_median_gap(alone),
        (f"ratio: {name}: their tokens / its tokens", "x"): theirs / (ANSWER - 1),
        (f"{name}: tokens of all", "tokens/s"): (theirs + ANSWER - 1) / (end - begin),
    }


def _measure_second_turn(engine: Engine, key: str) -> Round:
    """The second turn of a conversation, with and without prefix caching."""
    first = (Message("user", probes.write_text(engine, key, PAGE)),)
    run = probes.start(engine, first, 4 * FEW, client="class", cache_prompt=True)
    probes.wait_for_end(run)
    second = (*first, Message("assistant", probes.read_text(run)), Message("user", "What is the first word?"))
    tokens = len(engine.tokenize(second)[1])
    runs = []
    for cache_prompt in (False, True):
        runs.append(probes.start(engine, second, FEW, client="class", cache_prompt=cache_prompt))
        probes.wait_for_end(runs[-1])
    cold, warm = (probes.read_ttft(each) for each in runs)
    return {
        (f"second turn, {PAGE} tokens: TTFT, cache_prompt", "ms"): 1e3 * warm,
        (f"second turn, {PAGE} tokens: TTFT, no cache_prompt", "ms"): 1e3 * cold,
        ("ratio: second turn: with / without", "x"): warm / cold,
        ("second turn: reused of its prompt", "%"): 100 * probes.read_cached(runs[1]) / tokens,
    }


def _find_median_gap(run: Run) -> float:
    return median(later - earlier for earlier, later in probes.list_gaps(run))


def _time_alone(engine: Engine, key: str, length: int) -> float:
    run = _ask(engine, f"{key} alone {length}", length)
    probes.wait_for_end(run)
    return probes.read_ttft(run)


def _ask(engine: Engine, key: str, length: int) -> Run:
    return probes.start(engine, probes.write_text(engine, key, length), FEW)


@contextmanager
def _stream(engine: Engine, key: str, count: int) -> Iterator[list[Run]]:
    """Streams that have run undisturbed for a while, until the block ends."""
    texts = [probes.write_text(engine, f"{key} stream {at}", SHORT) for at in range(count)]
    runs = [probes.start(engine, text, ENDLESS) for text in texts]
    for run in runs:
        probes.wait_for_tokens(run, QUIET_TOKENS)
    yield runs
    for run in runs:
        run.cancel()
    probes.wait_for_end(*runs)


if __name__ == "__main__":
    for figure in measure_fairness():
        print(figure, flush=True)
