"""The report: a table and sentences for people, JSON for programs. Pure: no I/O."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from demo.bench.levels import Level
from demo.bench.open_loop import OpenLoop
from demo.bench.pairs import Pair, compare_pairs, format_comparison, format_texts
from demo.bench.sample import Sample
from demo.bench.sections import make_common_document, write_bias, write_definitions, write_open_loop
from demo.bench.self_test import Bias
from demo.metric_definitions import Chunk
from demo.metrics import percentile

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
    """The conditions, the table, the sentences and, as the last line, one JSON document."""
    streams = [pair.streamed.chunks for pair in pairs]
    document = {**make_document(conditions, pairs, levels), **make_common_document(bias, streams)}
    sections = [
        [_write_conditions(conditions), ""],
        [_TABLE_HEAD, *map(_write_row, [*tabulate_pairs(pairs), *tabulate_http(pairs)])],
        ["", *(f"{sentence[0].upper()}{sentence[1:]}." for sentence in list_findings(pairs))],
        _write_levels(levels),
        write_definitions(streams),
        write_bias(bias),
        ["", json.dumps(document, allow_nan=False)],
    ]
    return _join(sections)


def write_load_report(
    conditions: Conditions, loop: OpenLoop, streams: Sequence[Sequence[Chunk]], bias: Bias | None
) -> str:
    """The open loop's conditions, tables and sentences and, as the last line, one JSON document."""
    measured = {"open_loop": {**asdict(loop), "goodput": loop.goodput}, **make_common_document(bias, streams)}
    document = {"conditions": asdict(conditions), **measured}
    sections = [
        [_write_conditions(conditions)],
        write_open_loop(loop),
        write_definitions(streams),
        write_bias(bias),
        ["", json.dumps(document, allow_nan=False)],
    ]
    return _join(sections)


def _join(sections: Sequence[Sequence[str]]) -> str:
    return "\n".join(line for section in sections for line in section)


def list_findings(pairs: Sequence[Pair]) -> Iterator[str]:
    yield format_comparison(compare_pairs(pairs))
    yield format_texts(pairs)
    if any(pair.whole.count not in {None, pair.streamed.count} for pair in pairs):
        yield "the whole replies report more or fewer tokens than the streams had events: ITL and TPOT are per event"


def make_document(conditions: Conditions, pairs: Sequence[Pair], levels: Sequence[Level]) -> dict[str, Any]:
    """Everything as JSON: seconds, per cent where the key says so, null where there is no number."""
    comparison = compare_pairs(pairs)
    return {
        "conditions": asdict(conditions),
        "pairs": {row.key: asdict(row.spread) for row in tabulate_pairs(pairs)},
        "http_adds": {row.key: asdict(row.spread) for row in tabulate_http(pairs)},
        "difference_seconds": asdict(comparison.seconds),
        "difference_percent": asdict(comparison.percent),
        "differing_texts": sum(pair.differs for pair in pairs),
        "sentence": format_comparison(comparison),
        "totals": {"streamed": [p.streamed.total for p in pairs], "whole": [p.whole.total for p in pairs]},
        "levels": [asdict(level) for level in levels],
    }


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


def _write_row(row: Row) -> str:
    median, p5, p95 = (_write(value, row.factor) for value in (row.spread.median, row.spread.p5, row.spread.p95))
    return f"{row.label:<34}{median:>10}{p5:>10}{p95:>10}{row.spread.n:>7}"


def _write_levels(levels: Sequence[Level]) -> list[str]:
    if not levels:
        return []
    head = f"{'streams at once':<18}{'tokens/s':>10}{'TTFT p50, ms':>14}{'TTFT p95, ms':>14}{'streams':>9}{'429':>6}"
    rounds = f"Each level {levels[0].rounds} times, after a round that opens the connections and is dropped."
    return ["", head, *(_write_level(level) for level in levels), rounds]


def _write_level(level: Level) -> str:
    p50, p95 = _write(level.ttft_p50, 1e3), _write(level.ttft_p95, 1e3)
    rate = _write(level.tokens_per_second, 1)
    return f"{level.concurrency:<18}{rate:>10}{p50:>14}{p95:>14}{level.streams:>9}{level.refused:>6}"


def _write(value: float | None, factor: float) -> str:
    return "—" if value is None else f"{value * factor:.2f}"
