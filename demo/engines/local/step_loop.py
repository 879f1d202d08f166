"""Plans, launches and reads steps, and passes the sampled tokens to the sequences.

A step is launched on the runner, in flight while its tokens are sampled, then read.
"""

import logging
from collections.abc import Callable, Collection, Iterable
from collections.abc import Sequence as Rows
from dataclasses import dataclass
from itertools import accumulate, pairwise

import torch
from torch import Tensor

from demo.engines.local.async_copy import send
from demo.engines.local.runner import Runner
from demo.engines.local.sampler import Outcome, SamplerOutput
from demo.engines.local.scheduler import Scheduled, Scheduler, StepPlan
from demo.engines.local.sequence import Sequence
from demo.errors import describe_failure
from demo.loop_waker import wake_together

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class InFlightStep:
    """A step that has been launched and not been read."""

    plan: StepPlan
    sampled: tuple[Sequence, ...]  # in the order of the rows that are sampled
    output: SamplerOutput | None  # None where nothing is sampled

    def wait(self) -> None:
        """Return when the device has completed it. Raises the step's error."""
        if self.output is not None:
            self.output.wait()

    def read(self) -> list[tuple[Sequence, Outcome]]:
        """The sampled token of each sequence, or the error of its sampling."""
        return [] if self.output is None else list(zip(self.sampled, self.output.read(), strict=True))


class StepLoop:
    """Runs step after step; where the runner looks ahead, the next is launched before the last one is read."""

    def __init__(self, runner: Runner, scheduler: Scheduler, clock: Callable[[], float]) -> None:
        self._runner = runner
        self._scheduler = scheduler
        self._clock = clock
        self._in_flight: InFlightStep | None = None
        self._launched = 0.0  # when the step in flight was launched, or the one before it was read

    @torch.inference_mode()
    def step(self) -> bool:
        """Launch or read a step; False where there is neither."""
        previous, launched = self._in_flight, None
        self._in_flight = None
        plan: StepPlan | None = None
        try:
            if previous is not None:
                previous.wait()  # first, so that a sequence that is cancelled meanwhile is not in the next step
            for sequence in self._scheduler.remove_cancelled():
                sequence.output.finish("cancelled")
            plan = self._scheduler.plan()
            launched = self._launch(plan, follows=previous is not None) if plan is not None else None
            if previous is not None:
                self._read(previous, launched.sampled if launched is not None else ())
            if launched is not None and not self._runner.limits.looks_ahead:
                self._read(launched)
                launched = None
        except Exception as error:
            self._fail(error, (previous.plan if previous is not None else None, plan))
            return True
        self._in_flight = launched
        return plan is not None or previous is not None

    def _launch(self, plan: StepPlan, follows: bool) -> InFlightStep:
        if not follows:
            self._launched = self._clock()
        launched = launch(self._runner, plan)
        for sequence in launched.sampled:
            sequence.in_flight = True
        return launched

    @wake_together()
    def _read(self, step: InFlightStep, continued: Collection[Sequence] = ()) -> None:
        """Read a step. Its `continued` sequences already have another token in flight."""
        outcomes = step.read()
        now = self._clock()
        self._scheduler.note(step.plan, now - self._launched)
        self._launched = now
        self._note_prompts(step.plan)
        for sequence, outcome in outcomes:
            if sequence not in continued:
                sequence.in_flight = False
            if sequence.output.ended:
                continue
            sequence.accept(outcome)
            if isinstance(outcome, Exception):
                logger.error("A request failed during generation.", exc_info=outcome)
            if sequence.output.ended:
                self._scheduler.remove(sequence)

    def _note_prompts(self, plan: StepPlan) -> None:
        for part in plan.parts[plan.decoding :]:
            sequence = part.sequence
            if sequence.handle is not None:
                sequence.output.note_progress(min(sequence.handle.length, sequence.prompt_length))
            if part.samples and sequence.scores_prompt:
                sequence.output.score(sequence.prompt_logprobs)

    def _fail(self, error: Exception, plans: Iterable[StepPlan | None]) -> None:
        """End the sequences of the failed steps. The others are computed again, since the runner is reset."""
        logger.error("A step failed.", exc_info=error)
        for sequence in {part.sequence: None for plan in plans if plan is not None for part in plan.parts}:
            sequence.output.fail(describe_failure(error))
            if sequence in self._scheduler.running or sequence in self._scheduler.waiting:
                self._scheduler.remove(sequence)
        for sequence in list(self._scheduler.running):
            self._scheduler.preempt(sequence)
        self._runner.reset()


def launch(runner: Runner, plan: StepPlan) -> InFlightStep:
    """Start a step. Raises the error of the forward pass."""
    logits = runner.execute([part.chunk for part in plan.parts])
    rows = list(pairwise(accumulate((part.chunk.rows for part in plan.parts), initial=0)))  # [start, stop) of each part
    _score_prompts(plan.parts, rows, logits)
    sampled = [part for part in plan.parts if part.samples]
    sequences = tuple(part.sequence for part in sampled)
    if not sampled:
        return InFlightStep(plan, sequences, None)
    last = [stop - 1 for part, (_, stop) in zip(plan.parts, rows, strict=True) if part.samples]
    if len(last) < len(logits):
        logits = logits[send(torch.tensor(last), logits.device)]
    samplers = [sequence.sampler for sequence in sequences]
    return InFlightStep(plan, sequences, runner.sample([part.chunk.handle for part in sampled], samplers, logits))


def _score_prompts(parts: Rows[Scheduled], rows: Rows[tuple[int, int]], logits: Tensor) -> None:
    """Note each prompt token's log-probability after the tokens before it, for the sequences that ask for it."""
    for part, (start, stop) in zip(parts, rows, strict=True):
        sequence = part.sequence
        if part.chunk.outputs == "all":
            first = len(sequence.prompt_logprobs) + 1
            followers = torch.tensor(sequence.ids[first : first + stop - start], device=logits.device)
            logprobs = logits[start : start + len(followers)].float().log_softmax(dim=-1)
            sequence.prompt_logprobs += logprobs.gather(1, followers[:, None])[:, 0].tolist()
