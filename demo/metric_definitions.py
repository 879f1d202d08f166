"""What each benchmark tool calls TTFT, ITL and TPOT, computed from one stream as its client saw it.

Pure functions of times, in seconds since the request was sent. A tool that does not report a metric has None for it.
Each definition was read in the tool's own source, which its function names.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal, TypeAlias

from demo.metrics import Timeline, percentile

ChunkKind: TypeAlias = Literal["opening", "token", "closing"]


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk of a stream: an opening one has only a role, a closing one only a finish reason."""

    time: float
    text: str
    kind: ChunkKind = "token"


@dataclass(frozen=True, slots=True)
class Latencies:
    """A tool's three metrics of one stream; `itl` is the mean, where the tool keeps each gap."""

    ttft: float | None
    itl: float | None
    tpot: float | None


@dataclass(frozen=True, slots=True)
class Definition:
    """A tool's definitions, in words and as a function of the chunks. `source` is where they can be read."""

    tool: str
    ttft: str
    itl: str
    tpot: str
    source: str
    measure: Callable[[Sequence[Chunk]], Latencies]


def measure_ours(chunks: Sequence[Chunk]) -> Latencies:
    """This project: `demo/metrics.py`. TTFT ends with the first visible text, the gaps are between tokens."""
    tokens = [chunk for chunk in chunks if chunk.kind == "token"]
    first_text = next((chunk.time for chunk in tokens if chunk.text), None)
    times = tuple(chunk.time for chunk in tokens)
    return Latencies(first_text, _mean_gap(times), Timeline(tokens=times).tpot)


def measure_vllm(chunks: Sequence[Chunk]) -> Latencies:
    """vLLM: `async_request_openai_chat_completions` in vllm/benchmarks/lib/endpoint_request_func.py.

    Every chunk with `choices` counts, with text or without, so also the opening and the closing one. TPOT is
    `calculate_metrics` in vllm/benchmarks/serve.py: (latency - TTFT) / (n - 1), where latency ends with the last chunk.
    """
    times, count = [chunk.time for chunk in chunks], _count_tokens(chunks)
    return Latencies(_first(times), _mean_gap(times), _divide(_span(times), count - 1))


def measure_guidellm(chunks: Sequence[Chunk]) -> Latencies:
    """guidellm: `GenerativeRequestStats` in src/guidellm/schemas/base/request_stats.py.

    TTFT ends with the first chunk whose content is not empty (`add_streaming_line` in
    backends/openai/request_handlers.py). ITL is (last - first) / (n - 1), TPOT is last / n: the prompt is in it.
    """
    times, count = _list_texts(chunks), _count_tokens(chunks)
    return Latencies(_first(times), _divide(_span(times), count - 1), _divide(_last(times), count))


def measure_without_tpot(chunks: Sequence[Chunk]) -> Latencies:
    """NVIDIA's aiperf, and genai-perf before it: `TTFTMetric`, `InterTokenLatencyMetric` in src/aiperf/metrics/types.

    Hugging Face's inference-benchmarker computes the same: `TextGenerationAggregatedResponse` in src/requests.rs.
    ITL is (last - first) / (n - 1), both with text; there is no TPOT. aiperf names the single gaps inter-chunk latency;
    inference-benchmarker counts n by tokenizing the text again, where here n is the server's count.
    """
    times = _list_texts(chunks)
    return Latencies(_first(times), _divide(_span(times), _count_tokens(chunks) - 1), None)


def measure_inference_perf(chunks: Sequence[Chunk]) -> Latencies:
    """Kubernetes' inference-perf: `parse_sse_stream` in inference_perf/apis, `summarize_requests` in reportgen/base.py.

    Only chunks with content have times. ITL is each gap between them, TPOT is (last - first) / (n - 1). The tool's
    NTPOT, "normalized", is the whole latency / n.
    """
    times = _list_texts(chunks)
    return Latencies(_first(times), _mean_gap(times), _divide(_span(times), _count_tokens(chunks) - 1))


def measure_llmperf(chunks: Sequence[Chunk]) -> Latencies:
    """Ray's llmperf: `llm_request` in src/llmperf/ray_clients/openai_chat_completions_client.py.

    ITL is the sum of all times, the TTFT among them, / n (`token_benchmark_ray.py`). There is no TPOT.
    """
    times = _list_texts(chunks)
    return Latencies(_first(times), _divide(_last(times), _count_tokens(chunks)), None)


FIRST_TEXT: Final = "first chunk with text"
NOT_REPORTED: Final = "not reported"
DEFINITIONS: Final = (
    Definition(
        "this project",
        "first visible text",
        "gaps between tokens",
        "(last − first token) / (n − 1)",
        "demo/metrics.py",
        measure_ours,
    ),
    Definition(
        "vLLM bench serve",
        "first chunk, even an empty one",
        "gaps between all chunks",
        "(last − first chunk) / (n − 1)",
        "https://github.com/vllm-project/vllm/blob/main/vllm/benchmarks/lib/endpoint_request_func.py",
        measure_vllm,
    ),
    Definition(
        "guidellm",
        FIRST_TEXT,
        "(last − first text) / (n − 1)",
        "last text / n, prompt included",
        "https://github.com/vllm-project/guidellm/blob/main/src/guidellm/schemas/base/request_stats.py",
        measure_guidellm,
    ),
    Definition(
        "aiperf, genai-perf",
        FIRST_TEXT,
        "(last − first text) / (n − 1)",
        NOT_REPORTED,
        "https://github.com/ai-dynamo/aiperf/tree/main/src/aiperf/metrics/types",
        measure_without_tpot,
    ),
    Definition(
        "inference-benchmarker",
        FIRST_TEXT,
        "(last − first text) / (n − 1)",
        NOT_REPORTED,
        "https://github.com/huggingface/inference-benchmarker/blob/main/src/requests.rs",
        measure_without_tpot,
    ),
    Definition(
        "inference-perf",
        FIRST_TEXT,
        "gaps between chunks with text",
        "(last − first text) / (n − 1)",
        "https://github.com/kubernetes-sigs/inference-perf/blob/main/inference_perf/reportgen/base.py",
        measure_inference_perf,
    ),
    Definition(
        "llmperf",
        FIRST_TEXT,
        "last text / n, prompt included",
        NOT_REPORTED,
        "https://github.com/ray-project/llmperf/blob/main/src/llmperf/ray_clients/openai_chat_completions_client.py",
        measure_llmperf,
    ),
)


def compare_definitions(streams: Sequence[Sequence[Chunk]]) -> list[tuple[Definition, Latencies]]:
    """Each tool's definitions with the medians of its metrics over the streams."""
    return [(each, _take_medians([each.measure(chunks) for chunks in streams])) for each in DEFINITIONS]


def _take_medians(latencies: Sequence[Latencies]) -> Latencies:
    def take(values: Sequence[float | None]) -> float | None:
        return percentile([value for value in values if value is not None], 50)

    return Latencies(
        take([each.ttft for each in latencies]),
        take([each.itl for each in latencies]),
        take([each.tpot for each in latencies]),
    )


def _count_tokens(chunks: Sequence[Chunk]) -> int:
    return sum(chunk.kind == "token" for chunk in chunks)


def _list_texts(chunks: Sequence[Chunk]) -> list[float]:
    return [chunk.time for chunk in chunks if chunk.text]


def _first(times: Sequence[float]) -> float | None:
    return times[0] if times else None


def _last(times: Sequence[float]) -> float | None:
    return times[-1] if times else None


def _span(times: Sequence[float]) -> float | None:
    return times[-1] - times[0] if times else None


def _mean_gap(times: Sequence[float]) -> float | None:
    gaps = [later - earlier for earlier, later in pairwise(times)]
    return sum(gaps) / len(gaps) if gaps else None


def _divide(seconds: float | None, count: int) -> float | None:
    return None if seconds is None or count < 1 else seconds / count
