"""A step on its way: executed by the runner, its tokens being sampled, and read when they are here."""

from collections.abc import Sequence as Parts
from dataclasses import dataclass

import torch
from torch import Tensor

from demo.engines.local.async_copy import send
from demo.engines.local.output import SampledToken
from demo.engines.local.runner import Runner, Sampled
from demo.engines.local.sampler import Sampler
from demo.engines.local.scheduler import Scheduled, StepPlan
from demo.engines.local.sequence import Sequence


@dataclass(frozen=True, slots=True)
class InFlightStep:
    """A step that has been launched and not been read."""

    plan: StepPlan
    sampled: tuple[Sequence, ...]  # in the order of the rows that are sampled
    output: Sampled | None  # None where nothing is sampled

    def wait(self) -> None:
        """Return when the device has ended it. Raises what the step raises."""
        if self.output is not None:
            self.output.wait()

    def read(self) -> list[tuple[Sequence, SampledToken | Exception]]:
        """What was sampled for each sequence, or what went wrong in sampling it."""
        return [] if self.output is None else list(zip(self.sampled, self.output.read(), strict=True))


def launch(runner: Runner, plan: StepPlan) -> InFlightStep:
    """Start a step. Raises what the forward pass raises."""
    logits = runner.execute([part.chunk for part in plan.parts])
    rows = _find_rows(plan.parts)
    _score_prompts(plan.parts, rows, logits)
    sampled = tuple(part.sequence for part in plan.parts if part.samples)
    if not sampled:
        return InFlightStep(plan, sampled, None)
    last = [stop - 1 for part, (_, stop) in zip(plan.parts, rows, strict=True) if part.samples]
    if len(last) < len(logits):
        logits = logits[send(torch.tensor(last), logits.device)]
    handles = [part.chunk.handle for part in plan.parts if part.samples]
    return InFlightStep(plan, sampled, runner.sample(handles, [_find_sampler(each) for each in sampled], logits))


def _find_rows(parts: Parts[Scheduled]) -> list[tuple[int, int]]:
    """The rows of logits [start, stop) of each part."""
    rows, start = [], 0
    for part in parts:
        rows.append((start, start + part.chunk.rows))
        start += part.chunk.rows
    return rows


def _find_sampler(sequence: Sequence) -> Sampler:
    if sequence.sampler is None:
        request = sequence.request
        prompt = sequence.ids[: sequence.prompt_length]
        sequence.sampler = Sampler(request.sampling, sequence.seed, prompt, request.top_n_tokens)
    return sequence.sampler


def _score_prompts(parts: Parts[Scheduled], rows: Parts[tuple[int, int]], logits: Tensor) -> None:
    """Note how likely each prompt token was after those before it, for the sequences that ask for it."""
    for part, (start, stop) in zip(parts, rows, strict=True):
        sequence = part.sequence
        if part.chunk.outputs == "all":
            first = len(sequence.prompt_logprobs) + 1
            followers = torch.tensor(sequence.ids[first : first + stop - start], device=logits.device)
            logprobs = logits[start : start + len(followers)].float().log_softmax(dim=-1)
            sequence.prompt_logprobs += logprobs.gather(1, followers[:, None])[:, 0].tolist()
