"""Runners of any transformers model in eager mode: one pass for all decoding sequences where the cache allows it."""

import logging
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import Cache, DynamicCache, get_layer_types_and_kwargs

from demo.choice import Choice
from demo.engines.local.loading.free_memory import KVMemory
from demo.engines.local.runner import Chunk, Handle, Limits, Runner
from demo.engines.local.runners.transformers.cache_check import find_max_num_seqs
from demo.engines.local.runners.transformers.forward import Forward
from demo.engines.local.runners.transformers.padded_kv import RowsCache
from demo.engines.local.runners.transformers.prefix_store import PrefixStore
from demo.engines.local.sampler import BatchSampler, Sampler, SamplerOutput

logger = logging.getLogger(__name__)

SHAREABLE_LAYERS = {"full_attention", "sliding_attention", "chunked_attention"}
CPU_CHUNK, GPU_CHUNK = 128, 512  # prompt tokens of a step
MANY = 64  # sequences, as many as are admitted by default


@dataclass(slots=True, eq=False)
class SequenceCache:
    """A sequence's handle: its cache of one row, or, while it decodes, its row in the batch's cache."""

    cache: Cache
    salt: Hashable = None
    length: int = 0
    reserved: int = 0  # tokens


class SeparateRunner(Runner):
    """One pass per sequence, over the model's own kind of cache: for recurrent and hybrid models.

    Such a cache can be neither cut nor continued in chunks: prompts are read as a whole, and nothing is reused.
    """

    def __init__(self, network: PreTrainedModel, max_num_seqs: int | None = None) -> None:
        self.limits = Limits(max_num_seqs, whole_prompts=True)
        self._forward = Forward(network)
        self._config = network.config
        self._make_sampler = lru_cache(maxsize=1)(BatchSampler)  # the last one, while the same sequences decode

    def allocate(self, ids: Sequence[int], salt: Hashable, reuse: bool) -> Handle | None:
        return SequenceCache(DynamicCache(config=self._config))

    def reserve(self, handle: Handle, tokens: int) -> bool:
        return True

    def execute(self, chunks: Sequence[Chunk]) -> Tensor:
        return torch.cat([self._prefill(chunk) for chunk in chunks]).float()

    def sample(self, handles: Sequence[Handle], samplers: Sequence[Sampler], logits: Tensor) -> SamplerOutput:
        return self._make_sampler(tuple(samplers), logits.device).draw(logits)

    def free(self, handle: Handle, ids: Sequence[int]) -> None:
        """The memory is freed with the handle."""

    def reset(self) -> None:
        if self._forward.device.type == "cuda":
            torch.cuda.empty_cache()

    def _prefill(self, chunk: Chunk) -> Tensor:
        """Logits [rows asked for, vocabulary] after a chunk that is read alone, into the sequence's own cache."""
        sequence, ids = cast(SequenceCache, chunk.handle), torch.tensor([list(chunk.ids)])
        logits = self._forward(ids, sequence.cache, [sequence.length], keep=max(chunk.rows, 1))
        sequence.length += chunk.tokens
        return logits[0, logits.shape[1] - chunk.rows :]


class EagerRunner(SeparateRunner):
    """Sequences that decode are the rows of one padded cache; each chunk of a prompt is a separate pass."""

    def __init__(self, network: PreTrainedModel, memory: KVMemory) -> None:
        super().__init__(network)
        chunk = CPU_CHUNK if self._forward.device.type == "cpu" else GPU_CHUNK
        self._capacity = memory.bytes // max(self._forward.count_bytes(), 1)
        # A chunk's pass reads all weights: small chunks are inefficient.
        self.limits = Limits(
            max_prefill_tokens=chunk,
            min_prefill_tokens=8,
            efficient_prefill_tokens=chunk,
            efficient_decodes=MANY,  # one that misses a step leaves the batch's cache, which costs a copy
            capacity=self._capacity,
        )
        self._rows = RowsCache()
        self._store = PrefixStore(self._capacity) if memory.keeps_prefixes else None
        self._reserved = 0  # tokens of all sequences

    def allocate(self, ids: Sequence[int], salt: Hashable, reuse: bool) -> Handle | None:
        handle = SequenceCache(RowsCache(), salt)
        if not self.reserve(handle, len(ids) + 1):
            return None
        if reuse and self._store and (found := self._store.find(ids, salt)):
            cache, handle.length = found
            handle.cache = cache.copy_row(0, handle.length)
        return handle

    def count_cached(self, ids: Sequence[int], salt: Hashable) -> int:
        return 0 if self._store is None else self._store.count(ids, salt)

    def reserve(self, handle: Handle, tokens: int) -> bool:
        sequence = cast(SequenceCache, handle)
        more = max(tokens - sequence.reserved, 0)
        if more and self._store:
            self._store.shrink(self._capacity - self._reserved - more)
        if self._reserved + more > self._capacity:
            return False
        self._reserved += more
        sequence.reserved += more
        return True

    def execute(self, chunks: Sequence[Chunk]) -> Tensor:
        decodes = [chunk for chunk in chunks if _decodes(chunk)]
        rows = iter(self._decode(decodes)) if decodes else iter(())
        return torch.cat([next(rows)[None] if _decodes(chunk) else self._prefill(chunk) for chunk in chunks]).float()

    def free(self, handle: Handle, ids: Sequence[int]) -> None:
        sequence = cast(SequenceCache, handle)
        self._reserved -= sequence.reserved
        if self._store is not None:
            self._park(sequence)
            self._store.keep(ids[: sequence.length], sequence.salt, cast(RowsCache, sequence.cache))
            self._store.shrink(self._capacity - self._reserved)
        elif sequence in self._rows.owners:
            self._rows.leave(self._rows.owners.index(sequence))

    def reset(self) -> None:
        self._rows = RowsCache()
        if self._store is not None:
            self._store.clear()
        super().reset()

    def _prefill(self, chunk: Chunk) -> Tensor:
        sequence = cast(SequenceCache, chunk.handle)
        self._park(sequence)
        logits = super()._prefill(chunk)
        cast(RowsCache, sequence.cache).lengths = [sequence.length]
        return logits

    def _decode(self, chunks: Sequence[Chunk]) -> Tensor:
        """Logits [chunks, vocabulary] after one more token of each, in one pass."""
        sequences = {cast(SequenceCache, chunk.handle): chunk.ids for chunk in chunks}
        for absent in [each for each in self._rows.owners if each not in sequences]:
            self._park(cast(SequenceCache, absent))
        for sequence in [each for each in sequences if each not in self._rows.owners]:
            self._rows.join(cast(RowsCache, sequence.cache), sequence.length, owner=sequence)
        column = torch.tensor([sequences[cast(SequenceCache, owner)][-1:] for owner in self._rows.owners])
        logits = self._forward(column, self._rows, self._rows.lengths, self._rows.padding_mask(new=1))[:, -1]
        self._rows.grow(1)
        for sequence in sequences:
            sequence.length += 1
        places = [self._rows.owners.index(sequence) for sequence in sequences]
        return logits if places == list(range(len(places))) else logits[torch.tensor(places, device=logits.device)]

    def _park(self, sequence: SequenceCache) -> None:
        """Move a sequence from the batch's cache, if it is there, to a cache of its own."""
        if sequence in self._rows.owners:
            sequence.cache = self._rows.park(self._rows.owners.index(sequence))


def make_runner(network: PreTrainedModel, memory: KVMemory) -> Runner:
    """An EagerRunner where the model's layers allow that, else a SeparateRunner. Raises ModelError."""
    layer_types, _ = get_layer_types_and_kwargs(network.config.get_text_config(decoder=True))
    if SHAREABLE_LAYERS.issuperset(layer_types):
        return EagerRunner(network, memory)
    max_num_seqs = find_max_num_seqs(network)
    if max_num_seqs is not None:
        logger.info("%s", Choice("max_num_seqs", max_num_seqs, "the model keeps state beside its cache"))
    return SeparateRunner(network, max_num_seqs)


def _decodes(chunk: Chunk) -> bool:
    """Whether a chunk is one more token of a sequence, which can be computed in one pass with others."""
    return chunk.tokens == 1 and chunk.outputs == "last" and chunk.handle.length > 0
