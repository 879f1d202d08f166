"""What a decorated call computes: one run's events, in batches, from its start to its final event.

It runs in the platform's worker process, a fork of this one. Both processes stamp with `time.perf_counter`, which on
Linux reads CLOCK_MONOTONIC: one clock of the kernel, since the machine's start, for all its processes. So the worker's
stamps are on the engine's clock.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from mmap import mmap
from typing import Final

from demo.engines.local.output import Output, Vocabulary
from demo.engines.local.runner import Runner
from demo.engines.local.scheduler import Scheduler
from demo.engines.local.sequence import Sequence as RunningSequence
from demo.engines.local.step_loop import StepLoop
from demo.engines.zerogpu.gpu_run import GpuRequest
from demo.engines.zerogpu.gpu_time import START_SECONDS
from demo.errors import Incomplete
from demo.events import Event

BATCH_SECONDS: Final = 0.005  # a yield is pickled, in 0.3 to 0.6 ms: quicker tokens share one


@dataclass(frozen=True, slots=True)
class Generator:
    """Computes runs one after the other. `open_runner` returns this process's runner: only a worker has the GPU."""

    open_runner: Callable[[], Runner]
    vocabulary: Vocabulary
    flags: mmap  # of the Platform
    clock: Callable[[], float] = time.perf_counter

    def generate(self, asked: GpuRequest) -> Iterator[Sequence[Event]]:
        """The run's events in batches. The last batch ends with the final event."""
        events: list[Event] = []
        output = Output(
            asked.request, asked.prompt, self.vocabulary, lambda *new: events.extend(new), self.clock, lambda: None
        )
        # At full speed: the receiver of the events slows them down, and the GPU is given back meanwhile.
        request = replace(asked.request, pace=None)
        sequence = RunningSequence(request, asked.prompt, asked.seed, output, self.clock(), lambda: None)
        yielded = -math.inf
        for _ in self._step(asked, sequence):
            if events and (output.ended or self.clock() - yielded >= BATCH_SECONDS):
                batch = tuple(events)
                events.clear()
                yield batch
                yielded = self.clock()

    def _step(self, asked: GpuRequest, sequence: RunningSequence) -> Iterator[None]:
        """Run step after step until the sequence has its final event."""
        deadline = self.clock() + asked.seconds - START_SECONDS
        runner = self.open_runner()
        scheduler = Scheduler(runner, self.clock)
        scheduler.add(sequence)
        loop = StepLoop(runner, scheduler, self.clock)
        try:
            while not sequence.output.ended:
                if self.flags[asked.slot]:
                    sequence.cancel()
                if self.clock() >= deadline:
                    sequence.output.fail(describe_deadline(asked.seconds, sequence.output.generated))
                elif not loop.step() and not sequence.output.ended:
                    raise RuntimeError("no step can be planned")
                yield
        finally:
            if sequence in scheduler.running:
                scheduler.remove(sequence)  # the next run of this process finds its memory free


def describe_deadline(seconds: int, generated: int) -> Incomplete:
    """The error of a run that takes longer than it has asked for."""
    return Incomplete(
        f"The answer was cut off after {generated} tokens, when the {seconds} s of GPU time that were asked for it had "
        "been used: ask for a shorter one."
    )
