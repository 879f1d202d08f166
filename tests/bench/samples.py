"""Samples as tests make them: times in seconds, the request sent at 0 unless said otherwise."""

from demo.bench.dialects import ServerTimes
from demo.bench.pairs import Pair
from demo.bench.sample import Sample
from demo.metrics import Timeline

SILENT = ServerTimes()


def make_sample(
    total: float, text: str = "text", tokens: tuple[float, ...] = (), sent: float = 0.0, server: ServerTimes = SILENT
) -> Sample:
    timeline = Timeline(ttft=tokens[0] if tokens else total, tokens=tokens, end=total)
    return Sample(text, sent, 0.001, tokens[0] if tokens else None, timeline, total, len(tokens) or None, server)


def make_pair(streamed: float, whole: float, text: str = "text") -> Pair:
    return Pair(make_sample(streamed), make_sample(whole, text))
