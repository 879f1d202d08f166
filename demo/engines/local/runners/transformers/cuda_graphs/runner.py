"""A Runner of a transformers model with CUDA graphs: decode steps over a static cache are launched as a whole."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor

from demo.engines.local.async_copy import send
from demo.engines.local.common_prefix import count_common
from demo.engines.local.runner import Chunk, Handle, Limits, Runner
from demo.engines.local.runners.transformers.cuda_graphs.decode import Step
from demo.engines.local.runners.transformers.cuda_graphs.prefill import PromptReader
from demo.engines.local.runners.transformers.cuda_graphs.sampling import SlotSampler
from demo.engines.local.runners.transformers.padded_kv import RowsCache
from demo.engines.local.runners.transformers.prefix_store import MIN_REUSED
from demo.engines.local.sampler import Sampler, SamplerOutput


@dataclass(slots=True, eq=False)
class SlotHandle:
    """A sequence's handle: a separate cache while its prompt is read, then a slot of the static cache."""

    salt: Hashable
    length: int = 0
    ids: Sequence[int] = ()  # of the prompt's tokens that have been read; when it is freed, of all
    cache: RowsCache = field(default_factory=RowsCache)
    slot: int | None = None


class CudaGraphRunner(Runner):
    """Each prompt is read into a separate cache, which is copied to a slot; there is a slot for every sequence.

    Prefixes are reused from the content of free slots; a slot in use is not shared.
    """

    def __init__(self, reader: PromptReader, step: Step, sampler: SlotSampler, keeps_prefixes: bool = True) -> None:
        # A GPU reads hundreds of prompt tokens in the time of one.
        self.limits = Limits(
            max_num_seqs=step.cache.slots,
            max_prefill_tokens=2048,
            min_prefill_tokens=512,
            efficient_prefill_tokens=2048,
            efficient_decodes=step.cache.slots,  # their time is that of reading the weights
            looks_ahead=True,
        )
        self._reader = reader
        self._step = step
        self._sampler = sampler
        self._keeps_prefixes = keeps_prefixes
        self.reset()

    def allocate(self, ids: Sequence[int], salt: Hashable, reuse: bool) -> Handle | None:
        if self._allocated == self._step.cache.slots:
            return None
        self._allocated += 1
        handle = SlotHandle(salt)
        if reuse and self._keeps_prefixes:
            self._copy_prefix(ids[:-1], handle)
        return handle

    def count_cached(self, ids: Sequence[int], salt: Hashable) -> int:
        left = tuple(self._left.values()) if self._keeps_prefixes else ()
        most = max((count_common(each.ids, ids[:-1]) for each in left if each.salt == salt), default=0)
        return most if most >= MIN_REUSED else 0

    def reserve(self, handle: Handle, tokens: int) -> bool:
        return True  # a slot has room for the longest request

    def execute(self, chunks: Sequence[Chunk]) -> Tensor:
        waiting = [chunk for chunk in chunks if cast(SlotHandle, chunk.handle).slot is None]
        prefills = {chunk.handle: self._prefill(chunk) for chunk in waiting}
        decodes = [cast(SlotHandle, chunk.handle) for chunk in chunks if chunk.handle not in prefills]
        rows = iter(self._decode(decodes)) if decodes else iter(())
        return torch.cat([prefills[chunk.handle] if chunk.handle in prefills else next(rows)[None] for chunk in chunks])

    def sample(self, handles: Sequence[Handle], samplers: Sequence[Sampler], logits: Tensor) -> SamplerOutput:
        sequences = [cast(SlotHandle, handle) for handle in handles]
        for sequence, sampler, row in zip(sequences, samplers, logits, strict=True):
            self._prepare(sequence, sampler, row)
        return self._sampler.draw([cast(int, sequence.slot) for sequence in sequences])

    def free(self, handle: Handle, ids: Sequence[int]) -> None:
        sequence = cast(SlotHandle, handle)
        self._allocated -= 1
        sequence.cache, sequence.ids = RowsCache(), ids[: sequence.length]
        if sequence.slot is not None:
            self._step.cache.leave(sequence.slot)
            self._sampler.leave(sequence.slot)
            self._left[sequence.slot] = sequence

    def reset(self) -> None:
        self._left: dict[int, SlotHandle] = {}  # by free slot: the sequence whose keys and values it still holds
        self._allocated = 0
        self._step.cache.clear()
        self._sampler.clear()

    def _copy_prefix(self, ids: Sequence[int], handle: SlotHandle) -> None:
        """Copy the longest prefix of `ids` that a free slot holds."""
        counts = {slot: count_common(left.ids, ids) for slot, left in self._left.items() if left.salt == handle.salt}
        if max(counts.values(), default=0) >= MIN_REUSED:
            slot = max(counts, key=lambda slot: counts[slot])
            handle.ids, handle.length = ids[: counts[slot]], counts[slot]
            handle.cache = self._step.cache.copy_columns(slot, handle.length)

    def _prefill(self, chunk: Chunk) -> Tensor:
        """Logits float32 [rows asked for, vocabulary] after a chunk of a prompt."""
        sequence, ids = cast(SlotHandle, chunk.handle), torch.tensor([list(chunk.ids)])
        whole = self._reader.read(ids) if sequence.length == 0 and chunk.outputs == "last" else None
        if whole is not None:
            logits, sequence.cache = whole
        else:
            logits = self._reader.forward(ids, sequence.cache, [sequence.length], keep=max(chunk.rows, 1))
        sequence.ids = [*sequence.ids, *chunk.ids]
        sequence.length += chunk.tokens
        rows = logits[0, logits.shape[1] - chunk.rows :].float().clone()
        if whole is not None:
            self._join(sequence)  # before the next captured prefill overwrites its cache
        return rows

    def _join(self, sequence: SlotHandle) -> None:
        sequence.slot = self._step.cache.join(sequence.cache.filled(), sequence.length)
        self._left.pop(sequence.slot, None)
        sequence.cache = RowsCache()

    def _decode(self, sequences: Sequence[SlotHandle]) -> Tensor:
        """Logits float32 [sequences, vocabulary] after each sequence's last sampled token."""
        slots = [cast(int, sequence.slot) for sequence in sequences]
        logits = self._step(slots)
        for sequence in sequences:
            sequence.length += 1
        return logits[send(torch.tensor(slots), logits.device)]

    def _prepare(self, sequence: SlotHandle, sampler: Sampler, logits: Tensor) -> None:
        """Set up the slot of a sequence whose prompt has just been read, to sample from `logits` [vocabulary]."""
        if sequence.slot is None:
            self._join(sequence)
        slot = cast(int, sequence.slot)
        if not self._sampler.has(slot):
            self._step.place(slot, logits)
            self._sampler.join(slot, sampler, sequence.ids[len(sampler.prompt) :])
