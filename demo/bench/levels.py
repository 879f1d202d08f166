"""Concurrent streams: a server's throughput, TTFT and refusals. Knows neither HTTP nor the dialects."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from demo.bench.sample import Sample, measure_span
from demo.metrics import percentile

ROUNDS = 3  # measured, after one that opens the connections and is dropped

Samples = Sequence[Sample | None]  # of one round; None: refused with status 429


@dataclass(frozen=True, slots=True)
class Level:
    """`concurrency` streams started together, `rounds` times. Times in seconds; None where no stream has one.

    `tokens_per_second` is all tokens over all rounds' time, each from its first request to its last stream's end.
    """

    concurrency: int
    rounds: int
    streams: int
    refused: int
    tokens_per_second: float | None
    ttft_p50: float | None
    ttft_p95: float | None


def measure_level(measure_together: Callable[[int], Samples], concurrency: int) -> Level:
    rounds = [measure_together(concurrency) for _ in range(1 + ROUNDS)]
    return summarize_level(concurrency, rounds[1:])


def summarize_level(concurrency: int, rounds: Sequence[Samples]) -> Level:
    answered = [[sample for sample in samples if sample is not None] for samples in rounds]
    streams = [sample for samples in answered for sample in samples]
    ttfts = [sample.timeline.ttft for sample in streams if sample.timeline.ttft is not None]
    seconds = sum(measure_span(samples) for samples in answered if samples)
    return Level(
        concurrency=concurrency,
        rounds=len(rounds),
        streams=len(streams),
        refused=sum(sample is None for samples in rounds for sample in samples),
        tokens_per_second=sum(sample.count or 0 for sample in streams) / seconds if seconds else None,
        ttft_p50=percentile(ttfts, 50),
        ttft_p95=percentile(ttfts, 95),
    )
