"""Samples for tests: times in seconds, the request sent at 0 by default."""

from demo.bench.dialects import ServerTimes
from demo.bench.pairs import Pair
from demo.bench.sample import Sample
from demo.metrics import Timeline

NO_TIMES = ServerTimes()


def make_sample(
    total: float, text: str = "text", tokens: tuple[float, ...] = (), sent: float = 0.0, server: ServerTimes = NO_TIMES
) -> Sample:
    timeline = Timeline(ttft=tokens[0] if tokens else total, tokens=tokens, end=total)
    return Sample(text, sent, 0.001, tokens[0] if tokens else None, timeline, total, len(tokens) or None, server)


def make_pair(streamed: float, whole: float, text: str = "text") -> Pair:
    return Pair(make_sample(streamed), make_sample(whole, text))
