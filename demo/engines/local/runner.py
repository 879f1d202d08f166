"""The protocol of runners: allocate sequences, execute planned tokens of them, sample, free."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

if TYPE_CHECKING:  # the scheduler is imported before torch
    from torch import Tensor

    from demo.engines.local.sampler import Sampler, SamplerOutput

Outputs: TypeAlias = Literal["none", "last", "all"]


class Handle(Protocol):
    """A sequence's KV cache."""

    length: int  # tokens in it; more than 0 at first where a prefix is reused


@dataclass(frozen=True, slots=True)
class Chunk:
    """The next tokens of one sequence, from the end of its `handle` on.

    Empty `ids` stand for the token that the step in flight samples, which so far only the runner has.
    """

    handle: Handle
    ids: Sequence[int]
    outputs: Outputs = "last"

    @property
    def tokens(self) -> int:
        return len(self.ids) or 1

    @property
    def rows(self) -> int:
        return {"none": 0, "last": 1, "all": self.tokens}[self.outputs]


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a runner's steps."""

    max_num_seqs: int | None = None  # sequences with a KV cache; None where memory alone limits them
    max_prefill_tokens: int = 512  # prompt tokens of a step
    min_prefill_tokens: int = 4  # in a step that decodes; fewer take as long
    efficient_prefill_tokens: int = 32  # in a step of prefill only; fewer take longer each
    efficient_decodes: int = 8  # sequences that decode in a step; each more makes it longer
    whole_prompts: bool = False  # a prompt cannot be split into chunks
    looks_ahead: bool = False  # a step can be launched before the last one's tokens are read
    capacity: int | None = None  # tokens of all sequences together; None where they are not limited


class Runner(Protocol):
    """Executes steps. Not thread-safe: it belongs to the engine's thread."""

    limits: Limits

    def allocate(self, ids: Sequence[int], salt: Hashable, reuse: bool) -> Handle | None:
        """A KV cache with room for `ids` and one token; None while there is none.

        With `reuse` it may hold some of the first ids, never all of them, from a sequence of the same `salt`.
        """

    def count_cached(self, ids: Sequence[int], salt: Hashable) -> int:
        """About how many of `ids` `allocate` would now find for reuse. From any thread."""
        return 0

    def reserve(self, handle: Handle, tokens: int) -> bool:
        """Make room for so many tokens in all; False while there is none."""

    def execute(self, chunks: Sequence[Chunk]) -> "Tensor":
        """Logits float32 [rows of all chunks, vocabulary], in the order of the chunks. The handles grow.

        Raises the error of the forward pass; the handles of the chunks can then only be freed.
        """

    def sample(self, handles: Sequence[Handle], samplers: "Sequence[Sampler]", logits: "Tensor") -> "SamplerOutput":
        """Start to sample the next token of each sequence from `logits` [handles, vocabulary]."""

    def free(self, handle: Handle, ids: Sequence[int]) -> None:
        """Release a handle, which holds the first of `ids`. Its keys and values may be kept for reuse."""

    def reset(self) -> None:
        """Release all that is kept for reuse, after an execution that failed."""
