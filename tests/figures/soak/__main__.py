"""The soak: `python -m tests.figures.soak [--minutes 60] [--clients 16]`.

A process of the app is visited by clients that come and go, each visit with a deadline. It ends by itself. Prints what
came of the visits and what the process used over time; the exit code is 1 where a bound is broken.
"""

import argparse
import asyncio
import json
import random
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from statistics import median
from typing import Any, Final
from urllib.parse import urlsplit

import psutil

from tests.figures.soak.visits import VISITS, Refused, VisitFailed, Visitor
from tests.figures.tab import read_config
from tests.figures.wire import start_app

SAMPLE_SECONDS: Final = 5.0
DEADLINE: Final = 120.0  # seconds; a visit that takes longer hangs
SETTLED: Final = 300.0  # seconds after which memory shall not grow, or a third of the soak where that is less
QUIET_SECONDS: Final = 40.0  # after which nothing of the visits is left: sessions of tabs are kept for 30
ARGUMENTS: Final = ("--kv-cache-memory", "256MB")  # full long before memory has settled: it must not count as growth
MAX_GROWTH: Final = 5.0  # per cent of memory
MAX_MORE: Final = 8  # files that are open at the end beside those at the beginning
FAILED: Final = "failed"
HUNG: Final = "hung"
KEPT_ADDRESSES: Final = 0.5  # of all visits: of a client that has been here; the others come from a new address


class Tally:
    """Counts visits by kind and by outcome, and keeps the first failures of each kind."""

    def __init__(self) -> None:
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.failures: list[str] = []

    def count(self, kind: str, outcome: str) -> None:
        self.outcomes[kind, outcome] += 1

    def note_failure(self, kind: str, outcome: str, sentence: str) -> None:
        self.count(kind, outcome)
        if self.outcomes[kind, outcome] <= 3:
            self.failures.append(f"{kind} {outcome}: {sentence}")

    def sum(self, outcome: str) -> int:
        return sum(number for (_, each), number in self.outcomes.items() if each == outcome)

    def list_refusals(self) -> dict[str, int]:
        found: Counter[str] = Counter()
        for (_, outcome), number in self.outcomes.items():
            if outcome.startswith("refused: "):
                found[outcome.removeprefix("refused: ")] += number
        return dict(found)


@dataclass(frozen=True, slots=True)
class Sample:
    """What a process used at a moment, in seconds since the start of the soak."""

    at: float
    memory: float  # MiB resident
    threads: int
    files: int


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.figures.soak", description=__doc__)
    options.add_argument("--minutes", type=float, default=60.0)
    options.add_argument("--clients", type=int, default=16)
    given = options.parse_args()
    with start_app(*ARGUMENTS) as (process, url):
        server, before = psutil.Process(process.popen.pid), time.monotonic()
        first = take_sample(server, before)
        tally, samples = asyncio.run(visit_for(url, server, 60 * given.minutes, given.clients))
        left = wait_until_quiet(url)
        last = take_sample(server, before)
        log = process.read_log()
    settled, window = min(SETTLED, 20 * given.minutes), min(60.0, 10 * given.minutes)
    growth = compute_growth(samples, settled, window)
    broken = {
        f"{tally.sum(HUNG)} visits hung": tally.sum(HUNG) > 0,
        f"{tally.sum(FAILED)} visits failed": tally.sum(FAILED) > 0,
        f"memory grew by {growth:.1f} %": growth > MAX_GROWTH,
        f"{last.files - first.files} more files are open than at the beginning": last.files - first.files > MAX_MORE,
        f"of the visits are left: {left}": bool(left),
        "the log has a traceback": "Traceback" in log,
    }
    report(tally, [first, *samples, last], growth, settled)
    if "Traceback" in log:
        print(log[log.index("Traceback") :][:3000])
    for sentence in (each for each, is_broken in broken.items() if is_broken):
        print(f"BROKEN: {sentence}")
    print(json.dumps(write_summary(given, tally, [first, *samples, last], growth)))
    return int(any(broken.values()))


async def visit_for(url: str, server: psutil.Process, seconds: float, clients: int) -> tuple[Tally, list[Sample]]:
    """All clients' visits for `seconds`, and what the server used meanwhile."""
    tally, samples, begin = Tally(), list[Sample](), time.monotonic()
    port, config, addresses = urlsplit(url).port or 0, read_config(url), count(256)
    visiting = [
        asyncio.create_task(repeat_visits(Visitor(port, config, "", random.Random(number)), number, tally, addresses))
        for number in range(clients)
    ]
    while time.monotonic() - begin < seconds:
        await asyncio.sleep(SAMPLE_SECONDS)
        samples.append(take_sample(server, begin))
        if len(samples) % 12 == 0:
            print(write_line(samples[-1], tally), flush=True)
    for task in visiting:
        task.cancel()
    await asyncio.wait(visiting, timeout=DEADLINE)
    return tally, samples


async def repeat_visits(client: Visitor, number: int, tally: Tally, addresses: Iterator[int]) -> None:
    """Visits of one client, one after the other, until it is cancelled."""
    names = random.Random(number)
    kinds, weights = list(VISITS), [weight for _, weight in VISITS.values()]
    while True:
        (kind,) = names.choices(kinds, weights)
        address = make_address(number + 1 if names.random() < KEPT_ADDRESSES else next(addresses))
        visitor = Visitor(client.port, client.config, address, client.random)
        await visit_once(kind, visitor, tally)
        await asyncio.sleep(names.uniform(0.0, 0.4))


async def visit_once(kind: str, visitor: Visitor, tally: Tally) -> None:
    try:
        async with asyncio.timeout(DEADLINE) as deadline:
            tally.count(kind, await VISITS[kind][0](visitor))
    except Refused as refusal:
        tally.count(kind, f"refused: {refusal}")
    except VisitFailed as failure:
        tally.note_failure(kind, FAILED, str(failure))
    except Exception as error:
        outcome = HUNG if deadline.expired() else FAILED
        tally.note_failure(kind, outcome, f"{type(error).__name__}: {error}")


def make_address(number: int) -> str:
    """An address of this machine's loopback."""
    return f"127.{1 + number // 62500 % 200}.{number // 250 % 250}.{1 + number % 250}"


def wait_until_quiet(url: str) -> dict[str, int]:
    """What of the visits the server still holds when everything must have ended: nothing, if all is well."""
    end = time.monotonic() + QUIET_SECONDS
    while True:
        with urllib.request.urlopen(f"{url}/health", timeout=10) as response:
            health = json.load(response)
        left = {name: health[name] for name in ("running", "waiting", "tabs") if health[name]}
        if not left or time.monotonic() > end:
            return left
        time.sleep(1)


def take_sample(process: psutil.Process, begin: float) -> Sample:
    with process.oneshot():
        memory = process.memory_info().rss / 2**20
        return Sample(time.monotonic() - begin, memory, process.num_threads(), process.num_fds())


def compute_growth(samples: Sequence[Sample], settled: float, window: float) -> float:
    """Per cent by which memory grew: the median of the last `window` seconds over that of those after `settled`."""
    end = samples[-1].at
    first = [each.memory for each in samples if settled <= each.at <= settled + window]
    last = [each.memory for each in samples if each.at >= end - window]
    return 100 * (median(last) / median(first) - 1)


def report(tally: Tally, samples: list[Sample], growth: float, settled: float) -> None:
    """Print what came of the visits, by kind, and the memory's growth."""
    for (kind, outcome), number in sorted(tally.outcomes.items()):
        print(f"{kind:<16} {outcome:<32} {number:>7}")
    for failure in tally.failures:
        print(failure)
    most = max(each.memory for each in samples)
    print(f"memory: {growth:+.1f} % from second {settled:.0f} to the end, at most {most:.0f} MiB")


def write_line(sample: Sample, tally: Tally) -> str:
    visits, refused = sum(tally.outcomes.values()), sum(tally.list_refusals().values())
    return (
        f"{sample.at / 60:5.1f} min  {visits:>6} visits, {refused} refused, {tally.sum(FAILED)} failed, "
        f"{tally.sum(HUNG)} hung  {sample.memory:.0f} MiB, {sample.threads} threads, {sample.files} files"
    )


def write_summary(given: argparse.Namespace, tally: Tally, samples: list[Sample], growth: float) -> dict[str, Any]:
    first, last = samples[0], samples[-1]
    return {
        "minutes": given.minutes,
        "clients": given.clients,
        "visits": sum(tally.outcomes.values()),
        "refusals": tally.list_refusals(),
        "failed": tally.sum(FAILED),
        "hung": tally.sum(HUNG),
        "growth_percent": round(growth, 2),
        "memory_mib": [round(each.memory) for each in samples[:: max(1, len(samples) // 60)]],
        "threads": [first.threads, max(each.threads for each in samples), last.threads],
        "files": [first.files, max(each.files for each in samples), last.files],
    }


if __name__ == "__main__":
    sys.exit(main())
