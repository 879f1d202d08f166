"""The logits after a prompt and after each of some given ids, by which two runs of a model are compared."""

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from demo.engines.local.loading.free_memory import KVMemory
from demo.engines.local.runner import Chunk, Handle, Runner
from demo.engines.local.runners.cpu_llama.runner import CpuLlamaRunner
from demo.engines.local.runners.cpu_llama.weights.checkpoint import build_llama
from demo.engines.local.runners.cpu_llama.weights.unsupported import open_checkpoint

CHUNK: Final = 128
MEMORY: Final = KVMemory(bytes=1 << 30, keeps_prefixes=True)


def open_runner(place: Path, memory: KVMemory = MEMORY) -> Runner:
    """A CPU runner of a GGUF file or of a folder, which the kernels can run as it is."""
    checkpoint, reason = open_checkpoint(place)
    assert checkpoint is not None, reason
    return CpuLlamaRunner(build_llama(checkpoint), memory)


@torch.inference_mode()
def open_sequence(runner: Runner, prompt: Sequence[int], salt: Hashable = None, reuse: bool = False) -> Handle:
    """A handle with room for `prompt`."""
    handle = runner.allocate(prompt, salt, reuse)
    assert handle is not None, "there is no room for it"
    return handle


@torch.inference_mode()
def read_prompt(runner: Runner, handle: Handle, prompt: Sequence[int], sizes: Sequence[int] = (CHUNK,)) -> Tensor:
    """The logits [vocabulary] after a prompt that is read in chunks of these sizes, in turn."""
    turn = 0
    while True:
        ids = prompt[handle.length :][: sizes[turn % len(sizes)]]
        logits = runner.execute([Chunk(handle, ids)])
        turn += 1
        if handle.length == len(prompt):
            return logits[0]


@torch.inference_mode()
def step(runner: Runner, ids: dict[Handle, int]) -> Tensor:
    """Logits [sequences, vocabulary] after one more id of each sequence."""
    for handle in ids:
        assert runner.reserve(handle, handle.length + 1)
    return runner.execute([Chunk(handle, [id]) for handle, id in ids.items()])


@torch.inference_mode()
def follow(
    runner: Runner, prompt: Sequence[int], ids: Sequence[int], sizes: Sequence[int] = (CHUNK,), **options: Hashable
) -> Tensor:
    """Logits [1 + ids, vocabulary] of a sequence alone, which is freed afterwards; `options` are `open_sequence`'s."""
    handle = open_sequence(runner, prompt, **options)  # type: ignore[arg-type]
    first = read_prompt(runner, handle, prompt, sizes)
    rest = [step(runner, {handle: id})[0] for id in ids]
    runner.free(handle, ())
    return torch.stack([first, *rest])


def make_ids(count: int, seed: int = 0) -> list[int]:
    """Ids of a tiny model's bytes."""
    return torch.randint(256, (count,), generator=torch.Generator().manual_seed(seed)).tolist()
