"""The engine on a GPU beside what transformers offers there, on the same random weights: `make figures-gpu`.

A Llama of 1.7 billion weights in bfloat16, since how fast it is does not depend on what it has learnt. What is
compared takes turns in one run, after a warm-up that is dropped. The last line is one JSON document.
"""

import copy
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Final, TypeAlias, cast

import torch
import transformers
from transformers import ContinuousBatchingConfig, GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedModel

from demo.engines.local.engine import LocalEngine
from demo.engines.local.loading.source import ModelSource
from demo.engines.local.model import build_model
from demo.engines.local.runners.transformers.loading import wrap_network
from demo.events import Request
from demo.metrics import Timeline, measure_streamed
from demo.run import Run
from demo.settings import Settings
from tests.engines.local.tiny import make_tokenizer
from tests.figures.figure import Figure, summarise
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
BUFFER: Final = 1 << 30  # bytes that are moved to measure bandwidth: more than any cache holds

Round: TypeAlias = dict[str, float]


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured: prompts of `short` tokens, answers of `tokens`, first tokens after `long` ones."""

    rows: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    short: int = 36
    tokens: int = 128
    long: int = 1024
    rounds: int = 5
    buffer: int = BUFFER
    paged_memory: float = 0.5  # share of what is free, for continuous batching


def make_network(shape: dict[str, Any], device: str, dtype: torch.dtype) -> PreTrainedModel:
    """A Llama of random weights."""
    with torch.device(device):
        network: PreTrainedModel = LlamaForCausalLM._from_config(LlamaConfig(**shape), dtype=dtype)
    network.generation_config = GenerationConfig(eos_token_id=None, pad_token_id=0)
    network.eval()
    return network


@contextmanager
def open_engine(network: PreTrainedModel, scale: Scale, torch_compile: bool) -> Iterator[tuple[LocalEngine, int]]:
    """Our engine over `network`, ready, and for how many rows it has room."""
    most = max(scale.rows)
    total = max(scale.long, scale.short + scale.tokens) + 256
    settings = Settings(max_concurrent_requests=most, max_total_tokens=total, torch_compile=torch_compile)
    source = ModelSource("random", "folder", "random", "made to be timed")
    model = build_model(wrap_network(network, make_tokenizer()), source, settings)
    room = model.runner.limits.max_num_seqs
    if network.device.type == "cuda" and room is None:
        sys.exit("The step was not captured: the log says why.")
    engine = LocalEngine(lambda report: model, most)
    wait_until_ready(engine)
    yield engine, room or most
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
        continuous_batching_config=ContinuousBatchingConfig(max_memory_percent=scale.paged_memory),
        persistent_manager=True,
    )
    seconds = time.perf_counter() - begin
    return sum(len(answer.generated_tokens) for answer in answers.values()) / seconds


@torch.inference_mode()
def time_forward(network: PreTrainedModel, tokens: int) -> float:
    """Seconds of one bare forward over a long prompt, until its likeliest next token is known."""
    prompt = torch.full((1, tokens), 5, device=network.device)
    begin = time.perf_counter()
    network(input_ids=prompt, use_cache=True, logits_to_keep=1).logits.argmax().item()
    return time.perf_counter() - begin


@torch.inference_mode()
def measure_bandwidth(device: torch.device, size: int) -> float:
    """Bytes per second that the device's memory gives: the greatest rate seen of a copy and of a matrix's product."""
    source = torch.ones((size // 4096, 2048), dtype=torch.bfloat16, device=device)
    target, vector = torch.empty_like(source), torch.ones(2048, dtype=torch.bfloat16, device=device)
    ways: list[tuple[int, Callable[[], object]]] = [
        (2 * source.nbytes, lambda: target.copy_(source)),
        (source.nbytes, lambda: torch.mv(source, vector)),
    ]
    return max(moved / min(_time(way, device) for _ in range(20)) for moved, way in ways)


def count_bytes(network: PreTrainedModel, rows: int, columns: int) -> int:
    """What a step must read: each weight once, and the keys and values of `rows` with `columns` tokens each."""
    config = network.config
    weights = sum(parameter.nbytes for parameter in network.parameters())
    size = config.num_key_value_heads * (config.hidden_size // config.num_attention_heads) * network.dtype.itemsize
    return weights + int(rows * columns * 2 * config.num_hidden_layers * size)


def measure(network: PreTrainedModel, scale: Scale, torch_compile: bool) -> list[Figure]:
    """The engine, with or without torch.compile, beside transformers, for each number of rows that fits."""
    name = "compiled" if torch_compile else "captured"
    bandwidth = measure_bandwidth(network.device, scale.buffer)
    paged = copy.deepcopy(network)  # its attention is switched for good while its batching lives
    with open_engine(network, scale, torch_compile) as (engine, room):
        fitting = [rows for rows in scale.rows if rows <= room]
        rounds = [_run_round(network, paged, engine, fitting, scale) for _ in range(scale.rounds + 1)][1:]
    cast(Any, paged).destroy_cached_continuous_batching_manager()
    figures = [summarise("memory bandwidth", "GB/s", [bandwidth / 1e9])]
    for rows in fitting:
        bytes_read = count_bytes(network, rows, scale.short + scale.tokens // 2)
        figures += _summarise_rows(rounds, name, rows, rows * bandwidth / bytes_read)
    return figures + _summarise_first(rounds, name, scale.long)


def _run_round(
    network: PreTrainedModel, paged: PreTrainedModel, engine: LocalEngine, rows: Sequence[int], scale: Scale
) -> Round:
    found: Round = {}
    for count in reversed(rows):  # the most first, for which continuous batching then sizes itself
        lines = time_engine(engine, count, scale.short, scale.tokens)
        found[f"decode {count}"], found[f"engine {count}"] = rate_decode(lines), rate_all(lines)
        found[f"generate {count}"] = rate_generate(network, count, scale)
        found[f"batching {count}"] = rate_continuous_batching(paged, count, scale)
    found["first"] = time_engine(engine, 1, scale.long, 1)[0].tokens[0]
    found["forward"] = time_forward(network, scale.long)
    return found


def _summarise_rows(rounds: Sequence[Round], name: str, rows: int, bound: float) -> list[Figure]:
    """What `rows` at once got; `bound` is the tokens per second that the bytes and the bandwidth allow."""
    decode, engine, generate, batching = (
        [each[f"{what} {rows}"] for each in rounds] for what in ("decode", "engine", "generate", "batching")
    )
    return [
        summarise(f"{name}, {rows} rows, decode", "tokens/s", decode),
        summarise(f"{name}, {rows} rows, bytes over bandwidth", "tokens/s", [bound]),
        summarise(f"{name}, {rows} rows, share of it reached", "%", [100 * rate / bound for rate in decode]),
        summarise(f"{name}, {rows} rows, with prompts", "tokens/s", engine),
        summarise(f"transformers generate, eager, {rows} rows", "tokens/s", generate),
        summarise(f"transformers continuous batching, {rows} rows", "tokens/s", batching),
        summarise(f"{name}, {rows} rows / generate", "x", _divide(engine, generate)),
        summarise(f"{name}, {rows} rows / continuous batching", "x", _divide(engine, batching)),
    ]


def _summarise_first(rounds: Sequence[Round], name: str, tokens: int) -> list[Figure]:
    first, forward = [each["first"] for each in rounds], [each["forward"] for each in rounds]
    return [
        summarise(f"{name}, TTFT of {tokens} tokens", "ms", [1e3 * seconds for seconds in first]),
        summarise(f"bare forward of {tokens} tokens", "ms", [1e3 * seconds for seconds in forward]),
        summarise(f"{name}, TTFT / bare forward", "x", _divide(first, forward)),
    ]


def _divide(values: Sequence[float], references: Sequence[float]) -> list[float]:
    return [value / reference for value, reference in zip(values, references, strict=True)]


def _time(work: Callable[[], object], device: torch.device) -> float:
    begin = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - begin


def main() -> None:
    """Measure everything and print it."""
    if not torch.cuda.is_available():
        sys.exit("These figures need a GPU that CUDA can use: run them on a machine that has one.")
    device, scale = "cuda:0", Scale()
    network = make_network(SMOLLM2, device, torch.bfloat16)
    conditions = (
        f"Llama of 1.7 B random weights, bfloat16, {torch.cuda.get_device_name(device)}, {scale.short} prompt and "
        f"{scale.tokens} new tokens, greedy; torch {torch.__version__}, transformers {transformers.__version__}"
    )
    print(conditions)
    figures: list[Figure] = []
    for torch_compile in (False, True):
        for figure in measure(network, scale, torch_compile):
            print(figure, flush=True)
            figures.append(figure)
    print(json.dumps({"conditions": conditions, "figures": [asdict(figure) for figure in figures]}))


if __name__ == "__main__":
    main()
