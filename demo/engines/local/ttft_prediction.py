"""When each request gets its first token and ends: the scheduler's plan, run ahead. Pure: knows no thread and no clock.

Between two events, a prompt that has been read or an answer that ends, every rate is constant: so a whole plan takes a
few steps here, not one for each step of the engine. That running sequences grow, and may be preempted where memory is
short, is left out.
"""

import heapq
import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from demo.engines.local.fair_queueing import HALF_LIFE
from demo.engines.local.scheduler import ALLOWANCE
from demo.engines.local.step_rates import Rates

SINGLE: Final = "single"  # stands for all clients with one request each: they get their token in each step
SHORTEST: Final = 1e-9  # seconds: a clock may stand still
FAR: Final = 500.0  # half-lives of service, beyond which a float overflows
STEPS_PER_REQUEST: Final = 32  # of a prediction, which ends without an answer where it takes more
RETURNS_PER_REQUEST: Final = 6  # of clients that ask again, which a prediction foresees at most


@dataclass(frozen=True, slots=True)
class Work:
    """What is left of one request."""

    client: Hashable
    arrival: float
    missing: int  # prompt tokens to be read; 0 where it decodes
    tokens: float  # to be generated
    length: int  # tokens in all so far, which its KV cache holds or will
    runs: bool  # whether it has a KV cache
    pace: float = math.inf  # tokens/s at most
    overtaken: int = 0
    prefilled: int = 0
    delay: float = 0.0  # seconds until it is asked for
    again: "Work | None" = None  # what its client asks for when it has ended


@dataclass(frozen=True, slots=True)
class Situation:
    """What limits the plan beside the requests."""

    rates: Rates
    chunk_alone: int  # prompt tokens of a step
    chunk_beside: int  # of a step that decodes too
    efficient_decodes: int
    max_num_seqs: float = math.inf
    capacity: float = math.inf  # tokens of all requests that run
    service: Mapping[Hashable, float] = field(default_factory=dict)  # recent tokens of each client


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds from now; infinite where the prediction does not reach so far."""

    first: float = math.inf  # the first token that is still to come
    end: float = math.inf
    order: int = 0  # how many prompts are read before this one's


def predict(works: Sequence[Work], situation: Situation) -> list[Times]:
    """The times of each of `works`."""
    plan = _Plan(works, situation)
    for _ in range(STEPS_PER_REQUEST * (len(works) + 1)):
        if not plan.advance():
            break
    return plan.times[: len(works)]


@dataclass(slots=True)
class _Prompt:
    work: Work
    missing: float
    runs: bool
    overtaken: float
    prefilled: float

    @property
    def left_to_overtake(self) -> float:
        """Prompt tokens of later requests that may still be read before it."""
        return ALLOWANCE + self.prefilled // 2 - self.overtaken


@dataclass(slots=True)
class _Rows:
    """The sequences that decode for one client at one pace: all get tokens at the same rate."""

    pace: float
    written: float = 0.0  # tokens of each since the beginning
    ends: list[tuple[float, int]] = field(default_factory=list)  # (written at its end, index): a heap
    rate: float = 0.0  # tokens/s of each, now

    @property
    def seconds_left(self) -> float:
        """Until the next of them ends."""
        return (self.ends[0][0] - self.written) / self.rate


_Key: TypeAlias = tuple[Hashable, float]


class _Plan:
    def __init__(self, works: Sequence[Work], situation: Situation) -> None:
        self.times = [Times()] * len(works)
        self._works = list(works)
        self._returns_left = RETURNS_PER_REQUEST * (len(works) + 1)
        self._requests = Counter(work.client for work in works)
        self._expected = len(works)  # that have not ended
        self._situation = situation
        self._now = 0.0
        self._read = 0  # prompts so far
        self._service = dict(situation.service)
        self._coming: list[tuple[float, int]] = []  # (when it is asked for, index): a heap
        self._prompts: dict[int, _Prompt] = {}
        self._rows: dict[_Key, _Rows] = {}
        self._running = sum(work.runs for work in works)
        self._held = float(sum(work.length for work in works if work.runs))
        for index, work in enumerate(works):
            if work.delay > 0 or work.missing > 0:
                heapq.heappush(self._coming, (work.delay, index))
            else:
                self._decode(index, work.tokens)

    def advance(self) -> bool:
        """Go on to the next event; False where there is none."""
        self._ask()
        head = self._choose_head()
        if not self._expected or (head is None and not self._rows and not self._coming):
            return False
        token_seconds = self._find_rates(head)
        chunk = self._find_chunk(head)
        ending = min(self._rows.values(), key=lambda rows: rows.seconds_left, default=None)
        seconds = min(
            chunk * token_seconds if head is not None else math.inf,
            ending.seconds_left if ending is not None else math.inf,
            self._coming[0][0] - self._now if self._coming else math.inf,
        )
        self._pass(seconds, head, seconds / token_seconds if head is not None else 0.0)
        return True

    def _ask(self) -> None:
        """Let the requests come whose time it is."""
        while self._coming and self._coming[0][0] <= self._now + SHORTEST:
            index = heapq.heappop(self._coming)[1]
            work = self._works[index]
            self._prompts[index] = _Prompt(work, work.missing, work.runs, work.overtaken, work.prefilled)

    def _choose_head(self) -> int | None:
        """The prompt that is read now, as in Scheduler._order."""
        fitting = [index for index, prompt in self._prompts.items() if prompt.runs or self._has_room(prompt)]
        if not fitting:
            return None
        oldest = min(fitting, key=lambda index: self._works[index].arrival)
        if self._prompts[oldest].left_to_overtake < 0:
            return oldest
        decay = math.pow(2, -self._now / HALF_LIFE)

        def rank(index: int) -> tuple[float, float]:
            work = self._works[index]
            return self._service.get(work.client, 0.0) * decay + self._prompts[index].missing, work.arrival

        return min(fitting, key=rank)

    def _has_room(self, prompt: _Prompt) -> bool:
        situation = self._situation
        return (
            self._running < situation.max_num_seqs and self._held + prompt.work.length + 1 <= situation.capacity
        ) or not self._running

    def _find_rates(self, head: int | None) -> float:
        """Seconds that a prompt token takes now; sets the rate of each of the rows."""
        rates, chunk = self._situation.rates, self._situation.chunk_beside
        counts: Counter[Hashable] = Counter()
        for (client, _), rows in self._rows.items():
            counts[client] += len(rows.ends)
        if not counts:
            if head is None:
                return math.inf
            prompt = min(max(self._prompts[head].missing, 1.0), self._situation.chunk_alone)
            return max(rates.token + rates.step / prompt, SHORTEST)
        shares = find_shares(counts, self._situation.efficient_decodes)
        extra = rates.beside * min(chunk, self._prompts[head].missing) if head is not None else 0.0
        usual = rates.find_decode_seconds(sum(counts[client] * share for client, share in shares.items())) + extra
        due = sum(len(rows.ends) * min(shares[client], rows.pace * usual) for (client, _), rows in self._rows.items())
        step = max(rates.find_decode_seconds(due) + extra, SHORTEST)
        for (client, _), rows in self._rows.items():
            rows.rate = min(shares[client] / step, rows.pace)
        return step / min(chunk, self._prompts[head].missing) if head is not None else math.inf

    def _find_chunk(self, head: int | None) -> float:
        """Tokens of the head's prompt that are read before the order of the prompts may change."""
        if head is None:
            return 0.0
        prompt, arrival = self._prompts[head], self._works[head].arrival
        quantum = max(self._situation.chunk_alone, prompt.missing / 8)
        overtaken = [other for other in self._prompts.values() if other.work.arrival < arrival]
        if prompt.left_to_overtake < 0 and len(self._prompts) > 1:
            return min(prompt.missing, quantum)
        most = min((other.left_to_overtake for other in overtaken), default=math.inf)
        return min(prompt.missing, max(most + 1, quantum))

    def _pass(self, seconds: float, head: int | None, tokens: float) -> None:
        """Let time pass, in which `tokens` of the head's prompt are read."""
        self._now += seconds
        growth = math.pow(2, min(self._now / HALF_LIFE, FAR))
        for (client, _), rows in self._rows.items():
            rows.written += rows.rate * seconds
            self._serve(client, rows.rate * seconds * len(rows.ends) * growth)
        for key in [key for key, rows in self._rows.items() if rows.ends[0][0] <= rows.written + 1e-6]:
            self._end_first(key)
        if head is not None:
            self._serve(self._works[head].client, tokens * growth)
            self._read_prompt(head, tokens)

    def _read_prompt(self, head: int, tokens: float) -> None:
        prompt, work = self._prompts[head], self._works[head]
        if not prompt.runs:
            prompt.runs = True
            self._running += 1
            self._held += work.length
        prompt.missing -= tokens
        prompt.prefilled += tokens
        for other in self._prompts.values():
            if other.work.arrival < work.arrival:
                other.overtaken += tokens
        if prompt.missing <= 1e-6:
            del self._prompts[head]
            if head < len(self.times):
                self.times[head] = Times(first=self._now, order=self._read)
            self._read += 1
            self._decode(head, work.tokens - 1)

    def _decode(self, index: int, tokens: float) -> None:
        if tokens <= 0:
            self._end(index)
            return
        work = self._works[index]
        client = work.client if self._requests[work.client] > 1 else SINGLE
        rows = self._rows.setdefault((client, work.pace), _Rows(work.pace))
        heapq.heappush(rows.ends, (rows.written + tokens, index))

    def _end_first(self, key: _Key) -> None:
        rows = self._rows[key]
        while rows.ends and rows.ends[0][0] <= rows.written + 1e-6:
            self._end(heapq.heappop(rows.ends)[1])
        if not rows.ends:
            del self._rows[key]

    def _end(self, index: int) -> None:
        work = self._works[index]
        self._running -= 1
        self._held -= work.length
        if index < len(self.times):
            self.times[index] = replace(self.times[index], end=self._now)
            self._expected -= 1
        if (again := work.again) is not None and self._returns_left > 0:
            self._returns_left -= 1
            asked = self._now + again.delay
            heapq.heappush(self._coming, (asked, len(self._works)))
            self._works.append(replace(again, arrival=again.arrival + asked, again=again))

    def _serve(self, client: Hashable, tokens: float) -> None:
        if client is not SINGLE and not isinstance(client, Unknown):
            self._service[client] = self._service.get(client, 0.0) + tokens


@dataclass(frozen=True, slots=True)
class Unknown:
    """Stands for the client of request `number`, which names none: such requests are independent."""

    number: int


def find_shares(counts: Mapping[Hashable, int], efficient: int) -> dict[Hashable, float]:
    """For each client with so many sequences, the share of the steps in which each of them decodes, as `share_rows`."""
    singles = counts.get(SINGLE, 0)
    total, clients = sum(counts.values()), len(counts) + max(singles - 1, 0)
    if total <= efficient or clients == 1:
        return dict.fromkeys(counts, 1.0)
    return {
        client: 1.0
        if client is SINGLE
        else min(1.0, max((total - count) // (clients - 1), efficient // clients, 1) / count)
        for client, count in counts.items()
    }
