"""How fairly the engine is shared, as ratios of one run: `python -m tests.figures.fairness` prints these alone.

Requests go through the Engine protocol, greedy, past the end token. Their prompts begin like no other and reuse nothing
of earlier ones, except in the last measurement. Rounds follow each other after a warm-up that is dropped; a ratio is
paired by round. A stream's evenness is the p95 gap between its tokens while others are read, over its median gap then
and before.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Final

from demo.events import Engine, Message
from demo.metrics import percentile
from demo.run import Run
from tests.figures import probes
from tests.figures.figure import Figure, summarise

SHORT: Final = 20  # tokens of a prompt
LONG: Final = 3400
PAGE: Final = 1000
QUESTION: Final = 200
FEW: Final = 8  # new tokens
QUIET_TOKENS: Final = 60  # of a stream before others come
ENDLESS: Final = 3500  # new tokens of a stream that is cancelled
STREAMS: Final = 3
PAGES: Final = 20
REQUESTS: Final = 30  # of the client that asks for much
ROUNDS: Final = 5
HEAVY_ROUNDS: Final = 3


@dataclass(frozen=True)
class Evenness:
    """A stream's gaps while others' prompts are read: the p95 over the median then, and over the median before."""

    within: float
    before: float


@dataclass(frozen=True)
class Turns:
    """TTFT of a conversation's second turn, in seconds, and how many of its tokens were reused."""

    cold: float
    warm: float
    cached: int
    tokens: int


def measure_fairness() -> Iterator[Figure]:
    """Everything, of one engine."""
    with probes.open_engine() as engine:
        _time_alone(engine, "warm-up", LONG)
        yield from _measure_short_behind_long(engine, 0)
        yield from _measure_short_behind_long(engine, STREAMS)
        yield from _measure_streams(engine)
        yield from _measure_pages(engine)
        yield from _measure_clients(engine)
        yield from _measure_turns(engine)


def _measure_short_behind_long(engine: Engine, streams: int) -> Iterator[Figure]:
    """A short prompt that comes while a long one is read, alone or beside streams."""
    beside = f", {streams} streams" if streams else ""
    rounds = [_time_short_behind_long(engine, f"behind {streams} {turn}", streams) for turn in range(ROUNDS)]
    yield summarise(f"{SHORT} tokens behind {LONG}{beside}: TTFT", "ms", [1e3 * short for short, *_ in rounds])
    yield summarise(
        f"ratio: {SHORT} behind {LONG}{beside} / alone", "x", [short / alone for short, alone, *_ in rounds]
    )
    yield summarise(f"ratio: that {LONG}{beside} / alone", "x", [long / alone for _, _, long, alone in rounds])


def _time_short_behind_long(engine: Engine, key: str, streams: int) -> tuple[float, float, float, float]:
    """TTFTs: of the short one and of it alone, of the long one and of it alone."""
    short_alone, long_alone = _time_alone(engine, key, SHORT), _time_alone(engine, key, LONG)
    with _stream(engine, key, streams):
        long = _ask(engine, f"{key} long", LONG)
        probes.wait_for_reading(long)
        short = _ask(engine, f"{key} short", SHORT)
        probes.wait_for_end(long, short)
    return probes.read_ttft(short), short_alone, probes.read_ttft(long), long_alone


def _measure_streams(engine: Engine) -> Iterator[Figure]:
    """A running stream while one long prompt is read, and while one is scored."""
    for name, scores in (("read", False), ("scored", True)):
        rounds = [_measure_evenness(engine, f"{name} {turn}", 1, LONG, scores) for turn in range(ROUNDS)]
        yield from _list_evenness(f"a stream, {LONG} {name}", rounds)


def _measure_evenness(engine: Engine, key: str, prompts: int, length: int, scores: bool) -> Evenness:
    texts = [probes.write_text(engine, f"{key} {at}", length) for at in range(prompts)]
    with _stream(engine, key, 1) as (stream,):
        others = [probes.start(engine, text, FEW, prompt_logprobs=scores) for text in texts]
        probes.wait_for_end(*others)
        end = max(other.submitted + probes.read_ttft(other) for other in others)
        return _compare_gaps(probes.list_gaps(stream), others[0].submitted, end)


def _compare_gaps(gaps: Sequence[probes.Gap], begin: float, end: float) -> Evenness:
    """Those that lie in the time from `begin` to `end`, if only in part, and those before."""
    before = [gap.seconds for gap in gaps if gap.end <= begin]
    within = [gap.seconds for gap in gaps if gap.end > begin and gap.begin < end]
    p95 = percentile(within, 95) or 0.0
    return Evenness(p95 / median(within), p95 / median(before))


def _list_evenness(name: str, rounds: list[Evenness]) -> Iterator[Figure]:
    yield summarise(f"ratio: {name}: p95 / median gap", "x", [each.within for each in rounds])
    yield summarise(f"ratio: {name}: p95 / median gap before", "x", [each.before for each in rounds])


def _measure_pages(engine: Engine) -> Iterator[Figure]:
    """Pages that a class pastes at once: a short question behind them, the pages themselves, a stream beside them."""
    rounds = [_time_pages(engine, f"pages {turn}") for turn in range(HEAVY_ROUNDS)]
    name = f"{PAGES} pages of {PAGE} tokens"
    yield summarise(f"{SHORT} tokens behind {name}: TTFT", "ms", [1e3 * short for short, *_ in rounds])
    yield summarise(f"ratio: {SHORT} behind {PAGES} pages / alone", "x", [short / alone for short, alone, *_ in rounds])
    yield summarise(f"ratio: {name}: last / {PAGES} alone", "x", [last / PAGES / one for *_, last, one in rounds])
    beside = [_measure_evenness(engine, f"class {turn}", PAGES, PAGE, False) for turn in range(HEAVY_ROUNDS)]
    yield from _list_evenness(f"a stream beside {PAGES} pages", beside)


def _time_pages(engine: Engine, key: str) -> tuple[float, float, float, float]:
    """TTFTs: of the short one and of it alone, of the last page and of one alone."""
    short_alone, page_alone = _time_alone(engine, key, SHORT), _time_alone(engine, key, PAGE)
    texts = [probes.write_text(engine, f"{key} {page}", PAGE) for page in range(PAGES)]
    question = probes.write_text(engine, f"{key} short", SHORT)
    pages = [probes.start(engine, text, FEW) for text in texts]
    probes.wait_for_reading(pages[0])
    short = probes.start(engine, question, FEW)
    probes.wait_for_end(*pages, short)
    last = max(page.submitted + probes.read_ttft(page) for page in pages) - pages[0].submitted
    return probes.read_ttft(short), short_alone, last, page_alone


def _measure_clients(engine: Engine) -> Iterator[Figure]:
    """A client that asks once, behind one that asks for much; all requests are as long."""
    rounds = [_time_clients(engine, f"clients {turn}") for turn in range(HEAVY_ROUNDS)]
    name = f"one behind another client's {REQUESTS}"
    yield summarise(f"{name}: TTFT", "ms", [1e3 * one for one, *_ in rounds])
    yield summarise(f"ratio: {name} / alone", "x", [one / alone for one, alone, _ in rounds])
    yield summarise(f"ratio: {name} / their median", "x", [one / many for one, _, many in rounds])


def _time_clients(engine: Engine, key: str) -> tuple[float, float, float]:
    """TTFTs: of the only request and of it alone, and the median of the other client's."""
    alone = _time_alone(engine, key, QUESTION)
    texts = [probes.write_text(engine, f"{key} {at}", QUESTION) for at in range(REQUESTS + 1)]
    many = [probes.start(engine, text, 4 * FEW, client="many") for text in texts[1:]]
    one = probes.start(engine, texts[0], 4 * FEW, client="one")
    probes.wait_for_end(*many, one)
    return probes.read_ttft(one), alone, median(probes.read_ttft(each) for each in many)


def _measure_turns(engine: Engine) -> Iterator[Figure]:
    """The second turn of a conversation, with and without reuse of the first."""
    rounds = [_time_turns(engine, f"turns {turn}") for turn in range(ROUNDS)]
    name = f"second turn, {PAGE} tokens: TTFT"
    yield summarise(f"{name}, cache_prompt", "ms", [1e3 * each.warm for each in rounds])
    yield summarise(f"{name}, no cache_prompt", "ms", [1e3 * each.cold for each in rounds])
    yield summarise("ratio: second turn: with / without", "x", [each.warm / each.cold for each in rounds])
    yield summarise("second turn: reused of its prompt", "%", [100 * each.cached / each.tokens for each in rounds])


def _time_turns(engine: Engine, key: str) -> Turns:
    first = (Message("user", probes.write_text(engine, key, PAGE)),)
    run = probes.start(engine, first, 4 * FEW, client="class", cache_prompt=True)
    probes.wait_for_end(run)
    second = (*first, Message("assistant", probes.read_text(run)), Message("user", "What is the first word?"))
    tokens = len(engine.tokenize(second)[1])
    cold = _ask_again(engine, second, cache_prompt=False)
    warm = _ask_again(engine, second, cache_prompt=True)
    return Turns(probes.read_ttft(cold), probes.read_ttft(warm), probes.read_cached(warm), tokens)


def _ask_again(engine: Engine, conversation: tuple[Message, ...], cache_prompt: bool) -> Run:
    run = probes.start(engine, conversation, FEW, client="class", cache_prompt=cache_prompt)
    probes.wait_for_end(run)
    return run


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
