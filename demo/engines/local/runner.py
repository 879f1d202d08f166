"""What computes logits: sequences are allocated, planned tokens of them executed, and freed. A protocol."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

if TYPE_CHECKING:  # the scheduler is imported before torch
    from torch import Tensor

    from demo.engines.local.output import SampledToken
    from demo.engines.local.sampler import Sampler

Outputs: TypeAlias = Literal["none", "last", "all"]


class Handle(Protocol):
    """A sequence's keys and values."""

    length: int  # tokens held; more than 0 at first where a prefix is reused


@dataclass(frozen=True, slots=True)
class Chunk:
    """The next tokens of one sequence, which continue where its `handle` ends.

    `ids` is empty for the token that the step in flight samples for it: the runner knows it first.
    """

    handle: Handle
    ids: Sequence[int]
    outputs: Outputs = "last"

    @property
    def tokens(self) -> int:
        """How many tokens the step computes for it."""
        return len(self.ids) or 1

    @property
    def rows(self) -> int:
        """How many rows of logits the step gives for it."""
        return {"none": 0, "last": 1, "all": self.tokens}[self.outputs]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a runner can compute in a step."""

    max_num_seqs: int | None = None  # sequences that hold keys and values at once; None where memory alone bounds them
    max_prefill_tokens: int = 512  # prompt tokens of a step at most
    min_prefill_tokens: int = 4  # beside sequences that decode: fewer cost no less
    efficient_prefill_tokens: int = 32  # alone: fewer cost more each
    whole_prompts: bool = False  # a prompt cannot be cut into chunks
    looks_ahead: bool = False  # a step can be launched while the last one's tokens are unknown here
    capacity: int | None = None  # tokens of all sequences together; None where nothing bounds them


class Sampled(Protocol):
    """Sampled tokens, on their way from the device."""

    def wait(self) -> None:
        """Return when they have been sampled. Raises what the step raises."""

    def read(self) -> "Sequence[SampledToken | Exception]":
        """The token of every sequence, or what went wrong in sampling it."""


class Runner(Protocol):
    """Executes steps. Not thread-safe: it belongs to the engine's thread."""

    limits: Limits

    def allocate(self, ids: Sequence[int], salt: Hashable, reuse: bool) -> Handle | None:
        """Room for a sequence that begins with `ids` and one token more; None while there is none.

        With `reuse`, its first tokens may be held already, where a sequence of the same `salt` began with them; never
        all of them.
        """

    def reserve(self, handle: Handle, tokens: int) -> bool:
        """Make room for so many tokens in all; False while there is none."""

    def execute(self, chunks: Sequence[Chunk]) -> "Tensor":
        """Logits float32 [rows of all chunks, vocabulary], in the order of the chunks; the handles grow.

        Raises what the forward pass raises; the handles of the chunks are then unusable: free them.
        """

    def sample(self, handles: Sequence[Handle], samplers: "Sequence[Sampler]", logits: "Tensor") -> Sampled:
        """Start to sample the next tokens of sequences, whose last logits are `logits` [handles, vocabulary]."""

    def free(self, handle: Handle, ids: Sequence[int]) -> None:
        """Give a sequence's memory back; what was computed may be kept for reuse. It holds the first of `ids`."""

    def reset(self) -> None:
        """Forget all that is kept for reuse and give its memory back, after an execution that failed."""
