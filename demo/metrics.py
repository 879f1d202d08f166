"""The metrics of a run, from its log: TTFT, ITL (gaps), TPOT, rate, percentiles.

Pure functions of times. A number that does not exist is None, never 0. All in seconds.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from demo.events import Done, Event, Failed, Started, Token
from demo.reasoning import find_answer_token, find_start


@dataclass(frozen=True, slots=True)
class Timeline:
    """When one reader received a run, in seconds since the request was submitted.

    `ttft` (time to first token) ends with the first token that has text, `tokens[i]` is the time of token i + 1.
    `answered` is the time to the first token of the answer, of a model that has reasoned before it.
    """

    started: float | None = None
    ttft: float | None = None
    tokens: tuple[float, ...] = ()
    end: float | None = None
    answered: float | None = None

    @property
    def total(self) -> float | None:
        """Total latency: until the last event."""
        return self.end

    @property
    def gaps(self) -> tuple[float, ...]:
        """Inter-token latencies: n tokens have n - 1 of them."""
        return tuple(later - earlier for earlier, later in zip(self.tokens, self.tokens[1:], strict=False))

    @property
    def tpot(self) -> float | None:
        """Time per output token after the first: (last - first) / (n - 1)."""
        return (self.tokens[-1] - self.tokens[0]) / (len(self.tokens) - 1) if len(self.tokens) > 1 else None

    @property
    def rate(self) -> float | None:
        """Decode rate in tokens/s: (n - 1) / (last - first); None where all tokens came at once."""
        return 1 / self.tpot if self.tpot else None


def measure_streamed(submitted: float, events: Sequence[Event]) -> Timeline:
    """The timeline of a reader that receives each token as it is sampled."""

    def find_first(times: Iterable[float]) -> float | None:
        return next((time - submitted for time in times), None)

    tokens = [event for event in events if isinstance(event, Token)]
    answered = find_answer_token(find_start(events), tokens)
    return Timeline(
        started=find_first(event.time for event in events if isinstance(event, Started)),
        ttft=find_first(token.time for token in tokens if token.text),
        tokens=tuple(token.time - submitted for token in tokens),
        end=find_first(event.time for event in events[-1:] if isinstance(event, Done | Failed)),
        answered=None if answered is None else answered.time - submitted,
    )


def measure_whole(streamed: Timeline) -> Timeline:
    """The timeline of a reader of the same run that receives everything at its end."""
    if streamed.end is None:
        return replace(streamed, ttft=None, answered=None, tokens=())
    ttft, answered = (None if time is None else streamed.end for time in (streamed.ttft, streamed.answered))
    return replace(streamed, ttft=ttft, answered=answered, tokens=(streamed.end,) * len(streamed.tokens))


def percentile(values: Sequence[float], q: float) -> float | None:
    """The q-th percentile, q in [0, 100], interpolated linearly between ranks (NumPy's default)."""
    if not values:
        return None
    ordered = sorted(values)
    rank = (len(ordered) - 1) * q / 100
    low, high = math.floor(rank), math.ceil(rank)
    return ordered[low] + (ordered[high] - ordered[low]) * (rank - low)
