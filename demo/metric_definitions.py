"""What each benchmark tool calls TTFT, ITL and TPOT, computed from one stream as its client saw it.

Pure functions of times, in seconds since the request was sent. A tool that does not report a metric has None for it.
Each definition was read in the tool's own source, of which the comment above it names the functions.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal, TypeAlias

from demo.metrics import Timeline, percentile


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk of a stream: an opening one has only a role, a closing one only a finish reason."""

    time: float
    text: str
    kind: Literal["opening", "token", "closing"] = "token"


@dataclass(frozen=True, slots=True)
class Latencies:
    """A tool's three metrics of one stream; `itl` is the mean, where the tool keeps each gap."""

    ttft: float | None
    itl: float | None
    tpot: float | None


@dataclass(frozen=True, slots=True)
class Definition:
    """A tool's definitions, which are keys of `MEASURES`. `source` is where they can be read."""

    tool: str
    ttft: str
    itl: str
    tpot: str
    source: str

    def measure(self, chunks: Sequence[Chunk]) -> Latencies:
        tokens = sum(map(_is_token, chunks))

        def compute(words: str) -> float | None:
            counts, formula = MEASURES[words]
            return formula([chunk.time for chunk in chunks if counts(chunk)], tokens)

        return Latencies(compute(self.ttft), compute(self.itl), compute(self.tpot))


def _is_any(chunk: Chunk) -> bool:
    return True


def _is_token(chunk: Chunk) -> bool:
    return chunk.kind == "token"


def _has_text(chunk: Chunk) -> bool:
    return chunk.text != ""


def _first(times: Sequence[float], tokens: int) -> float | None:
    return times[0] if times else None


def _mean_gap(times: Sequence[float], tokens: int) -> float | None:
    gaps = [later - earlier for earlier, later in pairwise(times)]
    return sum(gaps) / len(gaps) if gaps else None


def _divide_span(times: Sequence[float], tokens: int) -> float | None:
    return (times[-1] - times[0]) / (tokens - 1) if times and tokens > 1 else None


def _divide_last(times: Sequence[float], tokens: int) -> float | None:
    return times[-1] / tokens if times and tokens else None


FIRST_TEXT: Final = "first chunk with text"
TEXT_SPAN: Final = "(last − first text) / (n − 1)"
LAST_TEXT: Final = "last text / n, prompt included"
NOT_REPORTED: Final = "not reported"
Formula: TypeAlias = Callable[[Sequence[float], int], float | None]
# What a metric's words say: which chunks count, and what is computed of their times and of n, the server's tokens.
MEASURES: Final[dict[str, tuple[Callable[[Chunk], bool], Formula]]] = {
    "first visible text": (_has_text, _first),
    FIRST_TEXT: (_has_text, _first),
    "first chunk, even an empty one": (_is_any, _first),
    "gaps between tokens": (_is_token, _mean_gap),
    "gaps between all chunks": (_is_any, _mean_gap),
    "gaps between chunks with text": (_has_text, _mean_gap),
    "(last − first token) / (n − 1)": (_is_token, lambda times, tokens: Timeline(tokens=tuple(times)).tpot),
    "(last − first chunk) / (n − 1)": (_is_any, _divide_span),
    TEXT_SPAN: (_has_text, _divide_span),
    LAST_TEXT: (_has_text, _divide_last),
    NOT_REPORTED: (_is_any, lambda times, tokens: None),
}
DEFINITIONS: Final = (
    Definition(
        *("this project", "first visible text", "gaps between tokens", "(last − first token) / (n − 1)"),
        "demo/metrics.py",
    ),
    # `async_request_openai_chat_completions`. Every chunk with `choices` counts, with text or without, so also the
    # opening and the closing one. TPOT is `calculate_metrics` in vllm/benchmarks/serve.py: (latency - TTFT) / (n - 1),
    # where latency ends with the last chunk.
    Definition(
        *("vLLM bench serve", "first chunk, even an empty one", "gaps between all chunks"),
        "(last − first chunk) / (n − 1)",
        "https://github.com/vllm-project/vllm/blob/main/vllm/benchmarks/lib/endpoint_request_func.py",
    ),
    # `GenerativeRequestStats`. TTFT ends with the first chunk whose content is not empty (`add_streaming_line` in
    # backends/openai/request_handlers.py).
    Definition(
        *("guidellm", FIRST_TEXT, TEXT_SPAN, LAST_TEXT),
        "https://github.com/vllm-project/guidellm/blob/main/src/guidellm/schemas/base/request_stats.py",
    ),
    # NVIDIA's, genai-perf before aiperf: `TTFTMetric`, `InterTokenLatencyMetric`, whose times are of chunks with text.
    # aiperf names the single gaps inter-chunk latency.
    Definition(
        *("aiperf, genai-perf", FIRST_TEXT, TEXT_SPAN, NOT_REPORTED),
        "https://github.com/ai-dynamo/aiperf/tree/main/src/aiperf/metrics/types",
    ),
    # Hugging Face's `TextGenerationAggregatedResponse`. It counts n by tokenizing the text again.
    Definition(
        *("inference-benchmarker", FIRST_TEXT, TEXT_SPAN, NOT_REPORTED),
        "https://github.com/huggingface/inference-benchmarker/blob/main/src/requests.rs",
    ),
    # Kubernetes': `parse_sse_stream` in inference_perf/apis, `summarize_requests` in reportgen/base.py. Only chunks
    # with content have times. The tool's NTPOT, "normalized", is the whole latency / n.
    Definition(
        *("inference-perf", FIRST_TEXT, "gaps between chunks with text", TEXT_SPAN),
        "https://github.com/kubernetes-sigs/inference-perf/blob/main/inference_perf/reportgen/base.py",
    ),
    # Ray's: `llm_request`. ITL is the sum of all times, the TTFT among them, / n (`token_benchmark_ray.py`).
    Definition(
        *("llmperf", FIRST_TEXT, LAST_TEXT, NOT_REPORTED),
        "https://github.com/ray-project/llmperf/blob/main/src/llmperf/ray_clients/openai_chat_completions_client.py",
    ),
)


def compare_definitions(streams: Sequence[Sequence[Chunk]]) -> list[tuple[Definition, Latencies]]:
    """Each tool's definitions with the medians of its metrics over the streams."""
    return [(each, _take_medians([each.measure(chunks) for chunks in streams])) for each in DEFINITIONS]


def _take_medians(latencies: Sequence[Latencies]) -> Latencies:
    def take(values: Iterable[float | None]) -> float | None:
        return percentile([value for value in values if value is not None], 50)

    return Latencies(
        take(each.ttft for each in latencies),
        take(each.itl for each in latencies),
        take(each.tpot for each in latencies),
    )
