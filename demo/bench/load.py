"""Load: concurrent streams, and an open loop of Poisson arrivals with its goodput. Knows neither HTTP nor the dialects.

Goodput counts the requests that met every limit (DistServe, https://arxiv.org/abs/2401.09670); those that were refused
or failed are not among them.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from demo.bench.sample import MeasurementError, Sample, measure_span
from demo.metrics import percentile

ROUNDS: Final = 3  # of a level, measured after one that opens the connections and is dropped
LIMITS: Final = ("ttft", "tpot", "itl", "total")

Samples = Sequence[Sample | None]  # of one round; None: refused with status 429
Outcome = Sample | MeasurementError | None  # None: refused for now


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


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of `n` numbers; None where n is 0."""

    p50: float | None
    p90: float | None
    p99: float | None
    n: int


@dataclass(frozen=True, slots=True)
class OpenLoop:
    """What became of the requests. Times in seconds from the intended start; rates are per second.

    `seconds`: from the first intended start to the last end. `lag`: how late the client sent, which is in the times.
    `within`: of those that were sent, how many met each limit; `good`: how many met all of them.
    """

    rate: float
    seed: int
    requests: int
    refused: int
    failed: int
    seconds: float | None
    tokens: int
    metrics: Mapping[str, Percentiles]
    lag: Percentiles
    limits: Mapping[str, float]
    within: Mapping[str, int]
    good: int
    first_failure: str | None

    @property
    def goodput(self) -> float | None:
        """Good requests per second."""
        return self.good / self.seconds if self.seconds else None


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


def schedule_arrivals(requests: int, rate: float, seed: int) -> list[float]:
    """A Poisson process: the gaps are exponential with mean 1 / rate. The first request starts at 0."""
    rng, now, starts = random.Random(seed), 0.0, []
    for _ in range(requests):
        starts.append(now)
        now += rng.expovariate(rate)
    return starts


def summarize_open_loop(rate: float, seed: int, limits: Mapping[str, float], outcomes: Sequence[Outcome]) -> OpenLoop:
    samples = [each for each in outcomes if isinstance(each, Sample)]
    failures = [each for each in outcomes if isinstance(each, MeasurementError)]
    met = [{name: _meets(sample, name, limit) for name, limit in limits.items()} for sample in samples]
    return OpenLoop(
        rate=rate,
        seed=seed,
        requests=len(outcomes),
        refused=sum(each is None for each in outcomes),
        failed=len(failures),
        seconds=measure_span(samples) if samples else None,
        tokens=sum(sample.count or 0 for sample in samples),
        metrics={name: take_percentiles(_list_values(samples, name)) for name in LIMITS},
        lag=take_percentiles([sample.lag for sample in samples]),
        limits=limits,
        within={name: sum(each[name] for each in met) for name in limits},
        good=sum(all(each.values()) for each in met),
        first_failure=str(failures[0]) if failures else None,
    )


def take_percentiles(values: Sequence[float]) -> Percentiles:
    """p50, p90 and p99, interpolated between ranks."""
    return Percentiles(percentile(values, 50), percentile(values, 90), percentile(values, 99), len(values))


def _list_values(samples: Sequence[Sample], name: str) -> list[float]:
    return [value for sample in samples for value in _measure(sample, name)]


def _measure(sample: Sample, name: str) -> Sequence[float]:
    """The request's values of a metric: each of its gaps for ITL, else one, if it exists."""
    if name == "itl":
        return sample.timeline.gaps
    value = {"ttft": sample.timeline.ttft, "tpot": sample.timeline.tpot, "total": sample.total}[name]
    return () if value is None else (value,)


def _meets(sample: Sample, name: str, limit: float) -> bool:
    """Whether every value is within the limit. A request of one token has no TPOT to exceed it with."""
    values = _measure(sample, name)
    return max(values, default=0.0) <= limit and (name != "ttft" or bool(values))
