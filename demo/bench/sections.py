"""Sections of a report: the open loop, every tool's definitions side by side, the benchmark's own error. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from demo.bench.open_loop import OpenLoop, Percentiles
from demo.bench.self_test import GOAL, Bias
from demo.metric_definitions import Chunk, compare_definitions

_LABELS = {"ttft": "TTFT (first text)", "itl": "ITL (each gap)", "tpot": "TPOT (each request)", "total": "total"}


def write_open_loop(loop: OpenLoop) -> list[str]:
    head = f"{'from the intended start, ms':<34}{'p50':>10}{'p90':>10}{'p99':>10}{'n':>7}"
    rows = [_write_row(_LABELS[name], percentiles) for name, percentiles in loop.metrics.items()]
    late = _write_row("  of which the client sent late", loop.lag)
    return ["", head, *rows, late, "", *_describe_open_loop(loop)]


def write_definitions(streams: Sequence[Sequence[Chunk]]) -> list[str]:
    """What each tool would call TTFT, ITL and TPOT of these same streams: the medians, in ms."""
    compared = compare_definitions(streams)
    head = f"{'the same streams, as each tool defines it; medians, ms':<56}{'TTFT':>9}{'ITL':>9}{'TPOT':>9}"
    rows = [
        f"{each.tool:<56}{_write(found.ttft):>9}{_write(found.itl):>9}{_write(found.tpot):>9}"
        for each, found in compared
    ]
    notes = [f"  {each.tool}: TTFT {each.ttft}; ITL {each.itl}; TPOT {each.tpot}" for each, _ in compared]
    return ["", head, *rows, "n tokens; of gaps the mean of each stream:", *notes]


def write_bias(bias: Bias | None) -> list[str]:
    """The self-test in two sentences."""
    if bias is None:
        return ["", "Self-test: left out."]
    arrival, gap, ttft = (_write(each.p50, 3) for each in (bias.arrival, bias.gap, bias.ttft))
    verdict = "within" if bias.is_within_goal else "NOT within"
    return [
        "",
        f"Self-test, {bias.streams} streams at once from a server that says when it wrote each token: a token is seen "
        f"{arrival} ms late (p50; p99 {_write(bias.arrival.p99, 3)}), a gap is {gap} ms off (p99 "
        f"{_write(bias.gap.p99, 3)}): {verdict} the goal of {GOAL * 1e3:g} ms.",
        f"TTFT is {ttft} ms more than that server's own (p50; p99 {_write(bias.ttft.p99, 3)}): the request's way "
        "to it, and the time until this machine lets it run, are in that.",
    ]


def make_common_document(bias: Bias | None, streams: Sequence[Sequence[Chunk]]) -> dict[str, Any]:
    """What every report's JSON holds."""
    definitions = {each.tool: asdict(found) for each, found in compare_definitions(streams)}
    tested = {**asdict(bias), "within_goal": bias.is_within_goal} if bias else None
    return {"definitions": definitions, "self_test": tested}


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


def _write_row(label: str, found: Percentiles) -> str:
    return f"{label:<34}{_write(found.p50):>10}{_write(found.p90):>10}{_write(found.p99):>10}{found.n:>7}"


def _write(seconds: float | None, digits: int = 2) -> str:
    return "—" if seconds is None else f"{seconds * 1e3:.{digits}f}"
