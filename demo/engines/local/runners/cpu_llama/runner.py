"""A Runner of Llama on a CPU: all tokens of a step in one pass, over a paged KV cache."""

from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import cast

from torch import Tensor

from demo.engines.local.loading.free_memory import KVMemory
from demo.engines.local.runner import Chunk, Handle, Limits, Runner
from demo.engines.local.runners.cpu_llama.kernels.attention import PAGE
from demo.engines.local.runners.cpu_llama.kv_pages import KVCache, PagePool
from demo.engines.local.runners.cpu_llama.model import Llama
from demo.engines.local.runners.cpu_llama.prefix_cache import PrefixCache
from demo.engines.local.sampler import BatchSampler, Sampler, SamplerOutput

MAX_TOKENS = 128  # of a step: the activations of more exceed a core's cache


class CpuLlamaRunner(Runner):
    """Results are bit-identical whatever else is in a step, however a prompt is split, and with or without reuse."""

    def __init__(self, model: Llama, memory: KVMemory) -> None:
        self._model = model
        self._make_sampler = lru_cache(maxsize=1)(BatchSampler)  # the last one, while the same sequences decode
        self._pool = PagePool(model.shape, memory.bytes)
        self._prefixes = PrefixCache(self._pool, memory.keeps_prefixes)
        # The kernels unpack weights once for four tokens.
        self.limits = Limits(max_prefill_tokens=MAX_TOKENS, min_prefill_tokens=4, capacity=self._pool.most * PAGE)

    def allocate(self, ids: Sequence[int], salt: Hashable, reuse: bool) -> Handle | None:
        cache = KVCache(self._pool, salt)
        if reuse:
            self._prefixes.share(ids, cache)
        if not self._pool.has_room(1 + len(ids) // PAGE - len(cache.pages)):
            cache.release()
            return None
        if reuse:
            self._prefixes.copy_start(ids, cache)
        cache.reserve(len(ids) + 1)
        return cache

    def count_cached(self, ids: Sequence[int], salt: Hashable) -> int:
        return self._prefixes.count(ids, salt)

    def reserve(self, handle: Handle, tokens: int) -> bool:
        return cast(KVCache, handle).reserve(tokens)

    def execute(self, chunks: Sequence[Chunk]) -> Tensor:
        logits = self._model.compute(chunks)
        for chunk in chunks:
            self._prefixes.keep_full_pages(cast(KVCache, chunk.handle))
        return logits

    def sample(self, handles: Sequence[Handle], samplers: Sequence[Sampler], logits: Tensor) -> SamplerOutput:
        return self._make_sampler(tuple(samplers), logits.device).draw(logits)

    def free(self, handle: Handle, ids: Sequence[int]) -> None:
        cache = cast(KVCache, handle)
        self._prefixes.keep_last_page(cache)
        cache.release()

    def reset(self) -> None:
        self._prefixes.clear()
