"""The report: a table and sentences for people, JSON for programs. Pure: no I/O."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, astuple, dataclass
from typing import Any, Final

from demo.bench.load import Level, OpenLoop, Percentiles
from demo.bench.pairs import Pair, compare_pairs, format_comparison, format_texts
from demo.bench.sample import Sample
from demo.bench.self_test import GOAL, Bias
from demo.metric_definitions import Chunk, compare_definitions
from demo.metrics import percentile

_LABELS: Final = {"ttft": "TTFT (first text)", "itl": "ITL (each gap)", "tpot": "TPOT (each request)", "total": "total"}
_TABLE_HEAD: Final = f"{'':<34}{'median':>10}{'p5':>10}{'p95':>10}{'n':>7}"


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions of a measurement. `machine` and `python` are the client's."""

    url: str
    dialect: str
    prefix_caching: str
    model: str
    prompt_characters: int
    new_tokens: int
    measured: str
    date: str
    python: str
    machine: str


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and percentiles of `n` numbers; None where n is 0."""

    median: float | None
    p5: float | None
    p95: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: `key` as the JSON names it, `label` with its unit as people read it."""

    key: str
    label: str
    factor: float
    spread: Spread


def spread(values: Iterable[float | None]) -> Spread:
    """The spread of those values that exist."""
    known = [value for value in values if value is not None]
    return Spread(percentile(known, 50), percentile(known, 5), percentile(known, 95), len(known))


def tabulate_pairs(pairs: Sequence[Pair]) -> list[Row]:
    """Both modes' latencies, by the client's clock."""
    streamed, whole = [pair.streamed for pair in pairs], [pair.whole for pair in pairs]
    gaps = [gap for sample in streamed for gap in sample.timeline.gaps]
    return [
        Row("streamed_headers", "streamed: headers, ms", 1e3, spread(sample.headers for sample in streamed)),
        Row("streamed_first_event", "streamed: first event, ms", 1e3, spread(s.first_event for s in streamed)),
        Row("streamed_ttft", "streamed: TTFT (first text), ms", 1e3, spread(s.timeline.ttft for s in streamed)),
        Row("streamed_itl", "streamed: ITL (gaps), ms", 1e3, spread(gaps)),
        Row("streamed_tpot", "streamed: TPOT, ms", 1e3, spread(sample.timeline.tpot for sample in streamed)),
        Row("streamed_total", "streamed: total, ms", 1e3, spread(sample.total for sample in streamed)),
        Row("whole_total", "whole: total, ms", 1e3, spread(sample.total for sample in whole)),
        Row("difference", "streamed − whole, ms", 1e3, spread(pair.difference for pair in pairs)),
        Row("streamed_tokens", "streamed: tokens (events)", 1, spread(sample.count for sample in streamed)),
        Row("whole_tokens", "whole: tokens (as reported)", 1, spread(sample.count for sample in whole)),
    ]


def tabulate_http(pairs: Sequence[Pair]) -> list[Row]:
    """What HTTP adds: the client's durations minus the server's, where the server reports them."""
    streamed, whole = [pair.streamed for pair in pairs], [pair.whole for pair in pairs]
    ttfts = [_subtract(sample.timeline.ttft, sample.server.ttft) for sample in streamed]
    return [
        Row("streamed_ttft", "HTTP adds to streamed TTFT, ms", 1e3, spread(ttfts)),
        Row("streamed_total", "HTTP adds to streamed total, ms", 1e3, spread(map(_add_total, streamed))),
        Row("streamed_total_percent", "  in % of that total", 1, spread(map(_add_percent, streamed))),
        Row("whole_total", "HTTP adds to whole total, ms", 1e3, spread(map(_add_total, whole))),
        Row("whole_total_percent", "  in % of that total", 1, spread(map(_add_percent, whole))),
    ]


def write_report(conditions: Conditions, pairs: Sequence[Pair], levels: Sequence[Level], bias: Bias | None) -> str:
    """The report on pairs and concurrent streams: conditions, table, sentences and, as the last line, JSON."""
    rows = [*tabulate_pairs(pairs), *tabulate_http(pairs)]
    lines = [
        "",
        _TABLE_HEAD,
        *(_write_row(row.label, row.spread, row.factor) for row in rows),
        "",
        *(f"{sentence[0].upper()}{sentence[1:]}." for sentence in list_findings(pairs)),
        *_write_levels(levels),
    ]
    streams = [pair.streamed.chunks for pair in pairs]
    return _finish_report(conditions, lines, make_document(pairs, levels), streams, bias)


def write_load_report(
    conditions: Conditions, loop: OpenLoop, streams: Sequence[Sequence[Chunk]], bias: Bias | None
) -> str:
    """The report on an open loop: conditions, table, sentences and, as the last line, JSON."""
    document = {"open_loop": {**asdict(loop), "goodput": loop.goodput}}
    return _finish_report(conditions, _write_open_loop(loop), document, streams, bias)


def _finish_report(
    conditions: Conditions,
    lines: Sequence[str],
    document: dict[str, Any],
    streams: Sequence[Sequence[Chunk]],
    bias: Bias | None,
) -> str:
    """A report with what all of them have: the conditions before `lines`, every tool's definitions, the self-test."""
    document = {"conditions": asdict(conditions), **document, **make_common_document(bias, streams)}
    common = [*_write_definitions(streams), *_write_bias(bias), "", json.dumps(document, allow_nan=False)]
    return "\n".join([_write_conditions(conditions), *lines, *common])


def list_findings(pairs: Sequence[Pair]) -> Iterator[str]:
    yield format_comparison(compare_pairs(pairs))
    yield format_texts(pairs)
    if any(pair.whole.count not in {None, pair.streamed.count} for pair in pairs):
        yield "the whole replies report more or fewer tokens than the streams had events: ITL and TPOT are per event"


def make_document(pairs: Sequence[Pair], levels: Sequence[Level]) -> dict[str, Any]:
    """What was measured as JSON: seconds, per cent where the key says so, null where there is no number."""
    comparison = compare_pairs(pairs)
    return {
        "pairs": {row.key: asdict(row.spread) for row in tabulate_pairs(pairs)},
        "http_adds": {row.key: asdict(row.spread) for row in tabulate_http(pairs)},
        "difference_seconds": asdict(comparison.seconds),
        "difference_percent": asdict(comparison.percent),
        "differing_texts": sum(pair.differs for pair in pairs),
        "sentence": format_comparison(comparison),
        "totals": {"streamed": [p.streamed.total for p in pairs], "whole": [p.whole.total for p in pairs]},
        "levels": [asdict(level) for level in levels],
    }


def make_common_document(bias: Bias | None, streams: Sequence[Sequence[Chunk]]) -> dict[str, Any]:
    """What every report's JSON holds."""
    definitions = {each.tool: asdict(found) for each, found in compare_definitions(streams)}
    tested = {**asdict(bias), "within_goal": bias.is_within_goal} if bias else None
    return {"definitions": definitions, "self_test": tested}


def _add_total(sample: Sample) -> float | None:
    return _subtract(sample.total, sample.server.total)


def _add_percent(sample: Sample) -> float | None:
    added = _add_total(sample)
    return None if added is None else 100 * added / sample.total


def _subtract(client: float | None, server: float | None) -> float | None:
    return None if client is None or server is None else client - server


def _write_conditions(c: Conditions) -> str:
    return (
        f"{c.url} · dialect {c.dialect} · model {c.model} · prompt of {c.prompt_characters} characters · "
        f"{c.new_tokens} new tokens · {c.measured} · prefix caching: {c.prefix_caching} · {c.date} · client: "
        f"Python {c.python}, {c.machine}"
    )


def _write_row(label: str, found: Spread | Percentiles, factor: float = 1e3) -> str:
    *values, n = astuple(found)
    return f"{label:<34}{''.join(f'{_write(value, factor):>10}' for value in values)}{n:>7}"


def _write_levels(levels: Sequence[Level]) -> list[str]:
    if not levels:
        return []
    head = f"{'streams at once':<18}{'tokens/s':>10}{'TTFT p50, ms':>14}{'TTFT p95, ms':>14}{'streams':>9}{'429':>6}"
    rounds = f"Each level {levels[0].rounds} times, after a round that opens the connections and is dropped."
    return ["", head, *(_write_level(level) for level in levels), rounds]


def _write_level(level: Level) -> str:
    p50, p95 = _write(level.ttft_p50), _write(level.ttft_p95)
    rate = _write(level.tokens_per_second, 1)
    return f"{level.concurrency:<18}{rate:>10}{p50:>14}{p95:>14}{level.streams:>9}{level.refused:>6}"


def _write_open_loop(loop: OpenLoop) -> list[str]:
    head = f"{'from the intended start, ms':<34}{'p50':>10}{'p90':>10}{'p99':>10}{'n':>7}"
    rows = [_write_row(_LABELS[name], percentiles) for name, percentiles in loop.metrics.items()]
    late = _write_row("  of which the client sent late", loop.lag)
    return ["", head, *rows, late, "", *_describe_open_loop(loop)]


def _describe_open_loop(loop: OpenLoop) -> Iterator[str]:
    answered = loop.requests - loop.refused - loop.failed
    yield (
        f"{loop.requests} requests at {loop.rate:g}/s, Poisson arrivals (seed {loop.seed}): {answered} answered, "
        f"{loop.refused} refused (429 or 503), {loop.failed} failed."
    )
    if loop.first_failure:
        yield f"The first failure: {loop.first_failure}"
    if loop.seconds:
        yield f"{loop.tokens / loop.seconds:.2f} tokens/s and {answered / loop.seconds:.2f} requests/s answered."
    if loop.limits and loop.goodput is not None:
        limits = ", ".join(f"{name} ≤ {limit:g} s ({loop.within[name]})" for name, limit in loop.limits.items())
        share = f"{loop.good} of {loop.requests} requests"
        yield f"Goodput: {loop.goodput:.2f} requests/s, {share} within every limit: {limits}."


def _write_definitions(streams: Sequence[Sequence[Chunk]]) -> list[str]:
    """What each tool would call TTFT, ITL and TPOT of these same streams: the medians, in ms."""
    compared = compare_definitions(streams)
    head = f"{'the same streams, as each tool defines it; medians, ms':<56}{'TTFT':>9}{'ITL':>9}{'TPOT':>9}"
    rows = [
        f"{each.tool:<56}{_write(found.ttft):>9}{_write(found.itl):>9}{_write(found.tpot):>9}"
        for each, found in compared
    ]
    notes = [f"  {each.tool}: TTFT {each.ttft}; ITL {each.itl}; TPOT {each.tpot}" for each, _ in compared]
    return ["", head, *rows, "n tokens; of gaps the mean of each stream:", *notes]


def _write_bias(bias: Bias | None) -> list[str]:
    """The self-test in two sentences."""
    if bias is None:
        return ["", "Self-test: left out."]
    arrival, gap, ttft = (_write(each.p50, digits=3) for each in (bias.arrival, bias.gap, bias.ttft))
    verdict = "within" if bias.is_within_goal else "NOT within"
    return [
        "",
        f"Self-test, {bias.streams} streams at once from a server that says when it wrote each token: a token is seen "
        f"{arrival} ms late (p50; p99 {_write(bias.arrival.p99, digits=3)}), a gap is {gap} ms off (p99 "
        f"{_write(bias.gap.p99, digits=3)}): {verdict} the goal of {GOAL * 1e3:g} ms.",
        f"TTFT is {ttft} ms more than that server's own (p50; p99 {_write(bias.ttft.p99, digits=3)}): the request's "
        "way to it, and the time until this machine lets it run, are in that.",
    ]


def _write(value: float | None, factor: float = 1e3, digits: int = 2) -> str:
    return "—" if value is None else f"{value * factor:.{digits}f}"
