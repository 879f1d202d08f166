"""The engine on a GPU beside what transformers offers there, on the same random weights: `make figures-gpu`.

A Llama of 1.7 billion random weights in bfloat16: its speed does not depend on their values. Rounds of one run follow a
warm-up that is dropped. The last line is one JSON document.
"""

import copy
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any, Final, cast

import torch
import transformers
from transformers import ContinuousBatchingConfig, GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedModel

from demo.engines.local.engine import LocalEngine
from demo.engines.local.loading.model import build_model
from demo.engines.local.loading.source import ModelSource
from demo.engines.local.runners.transformers.loading import wrap_network
from demo.metrics import Timeline, measure_streamed
from demo.request import Request
from demo.run import Run
from demo.settings import Settings
from tests.engines.local.tiny import make_tokenizer
from tests.figures.figure import Figure, Round, print_all, summarise, summarise_rounds
from tests.figures.speed import wait_until_ready

SMOLLM2: Final = {  # SmolLM2-1.7B's shape
    "vocab_size": 49152,
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 24,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": True,
}


@dataclass(frozen=True, slots=True)
class Scale:
    """The lengths in tokens: prompts `short`, answers `tokens`, prompts whose TTFT is measured `long`."""

    rows: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    short: int = 36
    tokens: int = 128
    long: int = 1024
    rounds: int = 5
    buffer: int = 1 << 30  # bytes moved to measure bandwidth, more than any cache holds
    paged_memory: float = 0.5  # share of what is free, for continuous batching
    paged_tokens: int | None = None  # of one of its steps: memory is kept for so many; None: as transformers chooses


def make_network(shape: dict[str, Any], device: str, dtype: torch.dtype) -> PreTrainedModel:
    with torch.device(device):
        network: PreTrainedModel = LlamaForCausalLM._from_config(LlamaConfig(**shape), dtype=dtype)
    network.generation_config = GenerationConfig(eos_token_id=None, pad_token_id=0)
    network.eval()
    return network


@contextmanager
def open_engine(network: PreTrainedModel, scale: Scale, torch_compile: bool) -> Iterator[tuple[LocalEngine, int]]:
    """Our engine over `network`, ready, and its greatest number of rows."""
    most = max(scale.rows)
    total = max(scale.long, scale.short + scale.tokens) + 256
    settings = Settings(max_concurrent_requests=most, max_total_tokens=total, torch_compile=torch_compile)
    source = ModelSource("random", "folder", "random", "made to be timed")
    model = build_model(wrap_network(network, make_tokenizer()), source, settings)
    max_num_seqs = model.runner.limits.max_num_seqs
    if network.device.type == "cuda" and max_num_seqs is None:
        sys.exit("The step was not captured: see the log.")
    engine = LocalEngine(lambda report: model, most)
    wait_until_ready(engine)
    yield engine, max_num_seqs or most
    engine.close()


def time_engine(engine: LocalEngine, requests: int, prompt: int, tokens: int) -> list[Timeline]:
    """`requests` at once, greedy, each read to its end."""
    runs = [Run(engine, Request("x" * prompt, tokens, ignore_eos=True)) for _ in range(requests)]
    for reader in [run.attach() for run in runs]:
        for _ in reader:
            pass
    return [measure_streamed(runs[0].submitted, run.events) for run in runs]


def rate_decode(lines: Sequence[Timeline]) -> float:
    """Tokens per second of all streams together, each after its first."""
    return len(lines) / median(line.tpot or 0.0 for line in lines)


def rate_all(lines: Sequence[Timeline]) -> float:
    """Tokens per second of all streams together, prompts included."""
    return sum(len(line.tokens) for line in lines) / max(line.tokens[-1] for line in lines)


def rate_generate(network: PreTrainedModel, rows: int, scale: Scale) -> float:
    """Tokens per second of transformers' eager `generate`, all rows together, prompts included."""
    prompt = torch.full((rows, scale.short), 5, device=network.device)
    options = {"min_new_tokens": scale.tokens, "max_new_tokens": scale.tokens}
    begin = time.perf_counter()
    cast(Any, network).generate(prompt, attention_mask=torch.ones_like(prompt), do_sample=False, **options).tolist()
    return rows * scale.tokens / (time.perf_counter() - begin)


def rate_continuous_batching(network: PreTrainedModel, rows: int, scale: Scale) -> float:
    """Tokens per second of transformers' continuous batching, all requests together, prompts included."""
    begin = time.perf_counter()
    answers = cast(Any, network).generate_batch(
        [[5] * scale.short] * rows,
        generation_config=GenerationConfig(max_new_tokens=scale.tokens, do_sample=False, eos_token_id=-1),
        continuous_batching_config=ContinuousBatchingConfig(
            max_memory_percent=scale.paged_memory, max_batch_tokens=scale.paged_tokens
        ),
        persistent_manager=True,
    )
    seconds = time.perf_counter() - begin
    return sum(len(answer.generated_tokens) for answer in answers.values()) / seconds


@torch.inference_mode()
def time_forward(network: PreTrainedModel, tokens: int) -> float:
    """Seconds of one bare forward over a long prompt, until the argmax of its logits is known."""
    prompt = torch.full((1, tokens), 5, device=network.device)
    begin = time.perf_counter()
    network(input_ids=prompt, use_cache=True, logits_to_keep=1).logits.argmax().item()
    return time.perf_counter() - begin


@torch.inference_mode()
def measure_bandwidth(device: torch.device, size: int) -> float:
    """The memory bandwidth in bytes per second: the best of a copy and of a matrix-vector product."""
    source = torch.ones((size // 4096, 2048), dtype=torch.bfloat16, device=device)
    target, vector = torch.empty_like(source), torch.ones(2048, dtype=torch.bfloat16, device=device)
    ways: list[tuple[int, Callable[[], object]]] = [
        (2 * source.nbytes, lambda: target.copy_(source)),
        (source.nbytes, lambda: torch.mv(source, vector)),
    ]
    return max(moved / min(_time(way, device) for _ in range(20)) for moved, way in ways)


def count_bytes(network: PreTrainedModel, rows: int, columns: int) -> int:
    """Bytes that a step must read: each weight once, the keys and values of `rows` with `columns` tokens each."""
    config = network.config
    weights = sum(parameter.nbytes for parameter in network.parameters())
    size = config.num_key_value_heads * (config.hidden_size // config.num_attention_heads) * network.dtype.itemsize
    return weights + int(rows * columns * 2 * config.num_hidden_layers * size)


def measure(network: PreTrainedModel, scale: Scale, torch_compile: bool) -> list[Figure]:
    """The engine, with or without torch.compile, beside transformers, for each number of rows that fits."""
    bandwidth = measure_bandwidth(network.device, scale.buffer)
    paged = copy.deepcopy(network)  # continuous batching switches its attention for good
    with open_engine(network, scale, torch_compile) as (engine, max_num_seqs):

        def run_round() -> Round:
            values: Round = {}
            # The most rows first, for which continuous batching then allocates its memory.
            for rows in sorted((rows for rows in scale.rows if rows <= max_num_seqs), reverse=True):
                bound = rows * bandwidth / count_bytes(network, rows, scale.short + scale.tokens // 2)
                values = {**_measure_rows(network, paged, engine, rows, scale, name, bound), **values}
            return {**values, **_measure_first(network, engine, scale.long, name)}

        name = "compiled" if torch_compile else "captured"
        rounds = [run_round() for _ in range(scale.rounds + 1)][1:]
    cast(Any, paged).destroy_cached_continuous_batching_manager()
    return [summarise("memory bandwidth", "GB/s", [bandwidth / 1e9]), *summarise_rounds(rounds)]


def _measure_rows(
    network: PreTrainedModel,
    paged: PreTrainedModel,
    engine: LocalEngine,
    rows: int,
    scale: Scale,
    name: str,
    bound: float,
) -> Round:
    """`rows` at once; `bound` is the tokens per second that the bytes and the bandwidth allow."""
    lines = time_engine(engine, rows, scale.short, scale.tokens)
    decode, throughput = rate_decode(lines), rate_all(lines)
    generate, batching = rate_generate(network, rows, scale), rate_continuous_batching(paged, rows, scale)
    return {
        (f"{name}, {rows} rows, decode", "tokens/s"): decode,
        (f"{name}, {rows} rows, bytes over bandwidth", "tokens/s"): bound,
        (f"{name}, {rows} rows, share of it reached", "%"): 100 * decode / bound,
        (f"{name}, {rows} rows, with prompts", "tokens/s"): throughput,
        (f"transformers generate, eager, {rows} rows", "tokens/s"): generate,
        (f"transformers continuous batching, {rows} rows", "tokens/s"): batching,
        (f"{name}, {rows} rows / generate", "x"): throughput / generate,
        (f"{name}, {rows} rows / continuous batching", "x"): throughput / batching,
    }


def _measure_first(network: PreTrainedModel, engine: LocalEngine, tokens: int, name: str) -> Round:
    """The first token after a long prompt, beside a bare forward."""
    first, forward = time_engine(engine, 1, tokens, 1)[0].tokens[0], time_forward(network, tokens)
    return {
        (f"{name}, TTFT of {tokens} tokens", "ms"): 1e3 * first,
        (f"bare forward of {tokens} tokens", "ms"): 1e3 * forward,
        (f"{name}, TTFT / bare forward", "x"): first / forward,
    }


def _time(work: Callable[[], object], device: torch.device) -> float:
    begin = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - begin


def main() -> None:
    if not torch.cuda.is_available():
        sys.exit("These figures need a GPU that CUDA can use: run them on a machine that has one.")
    device, scale = "cuda:0", Scale()
    network = make_network(SMOLLM2, device, torch.bfloat16)
    conditions = (
        f"Llama of 1.7 B random weights, bfloat16, {torch.cuda.get_device_name(device)}, {scale.short} prompt and "
        f"{scale.tokens} new tokens, greedy; torch {torch.__version__}, transformers {transformers.__version__}"
    )
    print_all(conditions, (figure for compiled in (False, True) for figure in measure(network, scale, compiled)))


if __name__ == "__main__":
    main()
