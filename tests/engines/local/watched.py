"""A runner under watch: its decode steps are counted, and a test may hold one up, break it, or spoil its numbers."""

import threading
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import TypeVar

from torch import Tensor

from demo.engines.local.model import Model
from demo.engines.local.runner import Chunk, Handle, Runner
from demo.engines.local.sampler import Outcome, Sampler, SamplerOutput

Watched = TypeVar("Watched", bound="WatchedRunner")


def watch(model: Model, kind: type[Watched]) -> tuple[Model, Watched]:
    """The model, its runner under watch."""
    runner = kind(model.runner)
    return replace(model, runner=runner), runner


class WatchedRunner(Runner):
    """Another runner's work. A decode step is one in which a sequence gets a token after its first."""

    def __init__(self, runner: Runner) -> None:
        self.limits = runner.limits
        self.executed: list[tuple[int, ...]] = []  # the tokens of each step's chunks
        self.decode_steps = 0
        self.followed = 0  # decode steps that continued a token of the step in flight
        self.error: Exception | None = None  # raised by the next decode step
        self.spoiled: int | None = None  # the place among the sequences of a step whose token is no number
        self._runner = runner

    def allocate(self, ids: Sequence[int], salt: Hashable, reuse: bool) -> Handle | None:
        return self._runner.allocate(ids, salt, reuse)

    def reserve(self, handle: Handle, tokens: int) -> bool:
        return self._runner.reserve(handle, tokens)

    def execute(self, chunks: Sequence[Chunk]) -> Tensor:
        decodes = [chunk for chunk in chunks if chunk.tokens == 1 and chunk.handle.length > 0]
        if decodes:
            self.begin_decode_step()
            self.decode_steps += 1
            self.followed += any(not chunk.ids for chunk in decodes)
            if self.error is not None:
                error, self.error = self.error, None
                raise error
        self.executed.append(tuple(chunk.tokens for chunk in chunks))
        return self._runner.execute(chunks)

    def sample(self, handles: Sequence[Handle], samplers: Sequence[Sampler], logits: Tensor) -> SamplerOutput:
        sampled = self._runner.sample(handles, samplers, logits)
        parse = sampled._parse

        def spoil(report: Tensor) -> list[Outcome]:
            return [ValueError("no number") if at == self.spoiled else each for at, each in enumerate(parse(report))]

        sampled._parse = spoil
        return sampled

    def free(self, handle: Handle, ids: Sequence[int]) -> None:
        self._runner.free(handle, ids)

    def reset(self) -> None:
        self._runner.reset()

    def begin_decode_step(self) -> None:
        """Called before each decode step."""


class PausingRunner(WatchedRunner):
    """Waits before each decode step for the test."""

    def __init__(self, runner: Runner) -> None:
        super().__init__(runner)
        self.arrived = threading.Semaphore(0)
        self.permits = threading.Semaphore(0)

    def begin_decode_step(self) -> None:
        self.arrived.release()
        assert self.permits.acquire(timeout=30)

    def start(self, steps: int = 0) -> None:
        """Wait until the engine stands before its first decode step, then let so many happen."""
        assert self.arrived.acquire(timeout=30)
        self.let(steps)

    def let(self, steps: int) -> None:
        """Let `steps` more decode steps happen, and wait until the engine stands before the next."""
        for _ in range(steps):
            self.permits.release()
            assert self.arrived.acquire(timeout=30)


class UnfreeableRunner(WatchedRunner):
    """Breaks the engine when the first sequence ends."""

    def free(self, handle: Handle, ids: Sequence[int]) -> None:
        raise RuntimeError("a bug of our own")
