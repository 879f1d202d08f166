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
from dataclasses import asdict
from typing import Any, Final, cast

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

NEW_TOKENS: Final = 128
SHORT: Final = 36  # tokens of a prompt whose answer is timed
LONG: Final = 1024  # and of one whose first token is
ROWS: Final = 64
ROUNDS: Final = 5
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


def make_network(shape: dict[str, Any], device: str, dtype: torch.dtype) -> PreTrainedModel:
    """A Llama of random weights."""
    with torch.device(device):
        network: PreTrainedModel = LlamaForCausalLM._from_config(LlamaConfig(**shape), dtype=dtype)
    network.generation_config = GenerationConfig(eos_token_id=None, pad_token_id=0)
    network.eval()
    return network


@contextmanager
def open_engine(network: PreTrainedModel, torch_compile: bool) -> Iterator[LocalEngine]:
    """Our engine over `network`, ready."""
    settings = Settings(max_concurrent_requests=ROWS, max_total_tokens=LONG + 256, torch_compile=torch_compile)
    source = ModelSource("random", "folder", "random", "made to be timed")
    model = build_model(wrap_network(network, make_tokenizer()), source, settings)
    if network.device.type == "cuda" and model.runner.limits.max_num_seqs != ROWS:
        sys.exit(f"The step was not captured for {ROWS} rows: there is too little memory, or the log says why.")
    engine = LocalEngine(lambda report: model, ROWS)
    wait_until_ready(engine)
    yield engine
    engine.close()


def time_engine(engine: LocalEngine, requests: int, prompt: int = SHORT, tokens: int = NEW_TOKENS) -> list[Timeline]:
    """`requests` at once, greedy, each read to its end."""
    runs = [Run(engine, Request("x" * prompt, tokens, ignore_eos=True)) for _ in range(requests)]
    for reader in [run.attach() for run in runs]:
        for _ in reader:
            pass
    return [measure_streamed(runs[0].submitted, run.events) for run in runs]


def rate_one(lines: Sequence[Timeline]) -> float:
    """Tokens per second of one stream, after its first."""
    return 1 / (lines[0].tpot or 0)


def rate_all(lines: Sequence[Timeline]) -> float:
    """Tokens per second of all streams together, prompts included."""
    return sum(len(line.tokens) for line in lines) / max(line.tokens[-1] for line in lines)


def time_generate(network: PreTrainedModel) -> float:
    """Tokens per second of transformers' eager `generate`, one request, after its first token."""
    prompt = torch.full((1, SHORT), 5, device=network.device)
    seconds = []
    for tokens in (1, 1 + NEW_TOKENS):
        begin = time.perf_counter()
        options = {"min_new_tokens": tokens, "max_new_tokens": tokens, "attention_mask": torch.ones_like(prompt)}
        cast(Any, network).generate(prompt, do_sample=False, **options).tolist()
        seconds.append(time.perf_counter() - begin)
    return NEW_TOKENS / (seconds[1] - seconds[0])


def time_continuous_batching(network: PreTrainedModel) -> float:
    """Tokens per second of transformers' continuous batching, all requests together, prompts included."""
    begin = time.perf_counter()
    answers = cast(Any, network).generate_batch(
        [[5] * SHORT] * ROWS,
        generation_config=GenerationConfig(max_new_tokens=NEW_TOKENS, do_sample=False, eos_token_id=-1),
        continuous_batching_config=ContinuousBatchingConfig(max_memory_percent=0.5),
        persistent_manager=True,
    )
    seconds = time.perf_counter() - begin
    return sum(len(answer.generated_tokens) for answer in answers.values()) / seconds


@torch.inference_mode()
def time_prefill(network: PreTrainedModel) -> float:
    """Seconds of one bare forward over a long prompt, until its likeliest next token is known."""
    prompt = torch.full((1, LONG), 5, device=network.device)
    begin = time.perf_counter()
    network(input_ids=prompt, use_cache=True, logits_to_keep=1).logits.argmax().item()
    return time.perf_counter() - begin


def find_bandwidth(device: str) -> float:
    """Bytes per second that the GPU's memory can give by its data sheet."""
    properties = torch.cuda.get_device_properties(device)
    return 2 * properties.memory_clock_rate * 1e3 * properties.memory_bus_width / 8


def measure(network: PreTrainedModel, bandwidth: float) -> list[Figure]:
    """The engine, with and without torch.compile, beside transformers; `bandwidth` is in bytes per second."""
    floor = bandwidth / sum(parameter.numel() * parameter.element_size() for parameter in network.parameters())
    paged = copy.deepcopy(network)  # its attention is switched for good while its batching lives
    with open_engine(network, False) as plain, open_engine(network, True) as compiled:
        contestants: dict[str, Callable[[], float]] = {"generate": lambda: time_generate(network)}
        contestants["continuous batching"] = lambda: time_continuous_batching(paged)
        contestants["prefill"] = lambda: time_prefill(network)
        for name, engine in (("captured", plain), ("compiled", compiled)):
            contestants[f"{name}, one"] = lambda engine=engine: rate_one(time_engine(engine, 1))  # type: ignore[misc]
            contestants[f"{name}, all"] = lambda engine=engine: rate_all(time_engine(engine, ROWS))  # type: ignore[misc]
            contestants[f"{name}, first"] = lambda engine=engine: time_engine(engine, 1, LONG, 1)[0].tokens[0]  # type: ignore[misc]
        rounds = [{name: time_one() for name, time_one in contestants.items()} for _ in range(ROUNDS + 1)][1:]
    cast(Any, paged).destroy_cached_continuous_batching_manager()
    return summarise_rounds(rounds, floor)


def summarise_rounds(rounds: Sequence[dict[str, float]], floor: float) -> list[Figure]:
    """What was asked of the engine, figure by figure; `floor` is the tokens per second that bandwidth allows."""
    batching = f"transformers continuous batching, {ROWS} at once"
    figures = [
        summarise("transformers generate, eager, one", "tokens/s", [each["generate"] for each in rounds]),
        summarise(batching, "tokens/s", [each["continuous batching"] for each in rounds]),
        summarise(f"bare prefill forward, {LONG} tokens", "ms", [each["prefill"] * 1e3 for each in rounds]),
    ]
    for name in ("captured", "compiled"):
        one, everyone, first = ([each[f"{name}, {what}"] for each in rounds] for what in ("one", "all", "first"))
        references = [[each[what] for each in rounds] for what in ("generate", "continuous batching", "prefill")]
        figures += [
            summarise(f"engine, {name}, one", "tokens/s", one),
            summarise(f"engine, {name}, {ROWS} at once", "tokens/s", everyone),
            summarise(f"engine, {name}, TTFT of {LONG} tokens", "ms", [each * 1e3 for each in first]),
            summarise(f"engine, {name}, one: of bytes over bandwidth", "%", [100 * each / floor for each in one]),
            summarise(f"engine, {name}, one / generate", "x", _divide(one, references[0])),
            summarise(f"engine, {name}, {ROWS} / continuous batching", "x", _divide(everyone, references[1])),
            summarise(f"engine, {name}, TTFT / bare prefill", "x", _divide(first, references[2])),
        ]
    return figures


def _divide(values: Sequence[float], references: Sequence[float]) -> list[float]:
    return [value / reference for value, reference in zip(values, references, strict=True)]


def main() -> None:
    """Measure everything and print it."""
    if not torch.cuda.is_available():
        sys.exit("These figures need a GPU that CUDA can use: run them on a machine that has one.")
    device = "cuda:0"
    figures = measure(make_network(SMOLLM2, device, torch.bfloat16), find_bandwidth(device))
    conditions = (
        f"Llama of 1.7 B random weights, bfloat16, {torch.cuda.get_device_name(device)}, "
        f"{find_bandwidth(device) / 1e12:.2f} TB/s, {SHORT} prompt and {NEW_TOKENS} new tokens, greedy; "
        f"torch {torch.__version__}, transformers {transformers.__version__}"
    )
    print(conditions)
    for figure in figures:
        print(figure)
    print(json.dumps({"conditions": conditions, "figures": [asdict(figure) for figure in figures]}))


if __name__ == "__main__":
    main()
