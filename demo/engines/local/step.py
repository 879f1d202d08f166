"""One step: launched on the runner, in flight while its tokens are sampled, then read."""

from collections.abc import Sequence as Rows
from dataclasses import dataclass
from itertools import accumulate, pairwise

import torch
from torch import Tensor

from demo.engines.local.async_copy import send
from demo.engines.local.runner import Runner
from demo.engines.local.sampler import Outcome, SamplerOutput
from demo.engines.local.scheduler import Scheduled, StepPlan
from demo.engines.local.sequence import Sequence


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
