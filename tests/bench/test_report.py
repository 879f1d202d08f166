import json
from dataclasses import asdict, replace

import pytest

from demo.bench.dialects import ServerTimes
from demo.bench.load import Level
from demo.bench.pairs import Pair
from demo.bench.report import Conditions, Spread, make_common_document, make_document, spread, write_report
from tests.bench.samples import make_pair, make_sample

MEASURED = "2 pairs after 1 warm-up pairs, dropped"
CONDITIONS = Conditions("http://x", "native", "none", "m", 5, 8, MEASURED, "2026-01-01", "3.10.0", "a machine")
LEVEL = Level(4, 3, 10, 2, 123.4, 0.1, 0.2)


def make_reported_pair(streamed: ServerTimes, whole: ServerTimes) -> Pair:
    return Pair(make_sample(1.0, tokens=(0.5, 1.0), server=streamed), make_sample(2.0, server=whole))


def test_no_numbers_spread_to_none_not_zero() -> None:
    assert (spread([None]).median, spread([None]).p95, spread([None]).n) == (None, None, 0)
    assert spread([None, *map(float, range(101))]) == Spread(50.0, 5.0, 95.0, 101)


def test_what_http_adds_is_the_clients_duration_minus_the_servers() -> None:
    pair = make_reported_pair(ServerTimes(0.4, 0.9), ServerTimes(0.3, 1.9))
    added = make_document([pair, pair], [])["http_adds"]
    assert added["streamed_ttft"]["median"] == pytest.approx(0.1)
    assert added["streamed_total"]["p95"] == pytest.approx(0.1)
    assert added["streamed_total_percent"]["median"] == pytest.approx(10)
    assert added["whole_total"]["median"] == pytest.approx(0.1)
    assert added["whole_total_percent"]["median"] == pytest.approx(5)


def test_without_the_servers_times_what_http_adds_is_null_and_a_dash() -> None:
    pairs = [make_pair(1.0, 1.0), make_pair(1.1, 1.0)]
    assert all(row["median"] is None for row in make_document(pairs, [])["http_adds"].values())
    lines = write_report(CONDITIONS, pairs, [], None).splitlines()
    line = next(line for line in lines if "adds to streamed TTFT" in line)
    assert line.split()[-4:] == ["—", "—", "—", "0"]


def test_the_last_line_is_one_json_document_with_everything() -> None:
    pairs = [make_pair(1.0, 1.0), make_pair(1.1, 1.0, text="other")]
    read = json.loads(write_report(CONDITIONS, pairs, [LEVEL], None).splitlines()[-1])
    common = make_common_document(None, [(), ()])
    assert read == {"conditions": asdict(CONDITIONS), **make_document(pairs, [LEVEL]), **common}
    assert read["levels"][0]["refused"] == 2
    assert read["differing_texts"] == 1
    assert read["totals"] == {"streamed": [1.0, 1.1], "whole": [1.0, 1.0]}


def test_the_first_line_has_the_conditions_and_the_dropped_warm_up() -> None:
    first = write_report(CONDITIONS, [make_pair(1.0, 1.0)] * 2, [], None).splitlines()[0]
    assert "http://x" in first
    assert "1 warm-up pairs, dropped" in first


def test_the_lines_of_the_table_are_equally_long() -> None:
    lines = write_report(CONDITIONS, [make_pair(1.0, 1.0)] * 2, [LEVEL], None).splitlines()
    table = lines[2 : lines.index("", 2)]
    assert len({len(line) for line in table}) == 1


def test_events_that_are_not_tokens_are_reported() -> None:
    pair = make_reported_pair(ServerTimes(), ServerTimes())
    merged = Pair(pair.streamed, replace(pair.whole, count=5))
    assert "more or fewer tokens" in write_report(CONDITIONS, [merged, merged], [], None)
    assert "more or fewer tokens" not in write_report(CONDITIONS, [pair, pair], [], None)
