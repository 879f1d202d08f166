"""The logits after a prompt and after each of some given ids: what two ways of running one model are compared by."""

from collections.abc import Hashable, Sequence
from typing import Any, Final

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from demo.engines.local.loading.kv_memory import KVMemory
from demo.engines.local.runner import Chunk, Handle, Runner
from demo.engines.local.runners.transformers.forward import name_cache

CHUNK: Final = 128
MEMORY: Final = KVMemory(bytes=1 << 30, keeps_prefixes=True)


@torch.inference_mode()
def open_sequence(runner: Runner, prompt: Sequence[int], salt: Hashable = None, reuse: bool = False) -> Handle:
    """Room for a sequence that begins with `prompt`."""
    handle = runner.allocate(prompt, salt, reuse)
    assert handle is not None, "there is no room for it"
    return handle


@torch.inference_mode()
def read_prompt(runner: Runner, handle: Handle, prompt: Sequence[int], sizes: Sequence[int] = (CHUNK,)) -> Tensor:
    """The logits [vocabulary] after a prompt that is read in pieces of these sizes, in turn."""
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
def follow(runner: Runner, prompt: Sequence[int], ids: Sequence[int]) -> Tensor:
    """Logits [1 + ids, vocabulary] of a sequence alone, which is freed again."""
    handle = open_sequence(runner, prompt)
    first = read_prompt(runner, handle, prompt)
    rest = [step(runner, {handle: id})[0] for id in ids]
    runner.free(handle, ())
    return torch.stack([first, *rest])


class HalfCache(DynamicCache):
    """Transformers' own cache, but for float16 keys and values, which are what the CPU Llama keeps."""

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        return super().update(key_states.half().float(), value_states.half().float(), *args, **kwargs)


@torch.inference_mode()
def follow_exactly(network: PreTrainedModel, prompt: Sequence[int], ids: Sequence[int]) -> Tensor:
    """The same logits by transformers in float32, with float16 keys and values: in one pass over all."""
    logits: Tensor = network(torch.tensor([[*prompt, *ids]]), **{name_cache(network): HalfCache()}).logits
    return logits[0, len(prompt) - 1 :]


def assert_alike(ours: Tensor, exact: Tensor) -> None:
    """Logits are equal but where a sum that differs in its last bit rounded a key or value to the next float16."""
    difference = (ours - exact).abs()
    assert float(difference.mean()) < 1e-3
    assert float(difference.max()) < 0.02
    assert torch.equal(ours.argmax(dim=-1), exact.argmax(dim=-1))


def make_ids(count: int, seed: int = 0) -> list[int]:
    """Ids of a tiny model's bytes."""
    return torch.randint(256, (count,), generator=torch.Generator().manual_seed(seed)).tolist()
