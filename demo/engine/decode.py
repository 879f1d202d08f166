"""Prefill of one prompt and one step for all rows, each ending in sampled tokens."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from demo.engine.batch import Batch, Prefill
from demo.engine.generation import Chosen
from demo.engine.sampling import Chooser, Outcome, Sampler
from demo.events import Request


@dataclass(slots=True)
class Line:
    """One sequence: its prompt being read, then its place among the rows. `last` is the id to append next."""

    prefill: Prefill
    sampler: Sampler
    scores_prompt: bool = False
    last: int = -1


class Decoder:
    """Rows in the order in which they joined; where one leaves, the last takes its number."""

    def __init__(self, new_batch: Callable[[], Batch]) -> None:
        self._new_batch = new_batch
        self._batch = new_batch()
        self._lines: list[Line] = []
        self._chooser: Chooser | None = None  # of the lines; None when they have changed

    def open(self, prompt: Sequence[int], request: Request, seed: int) -> Line:
        """A sequence that will join once its prompt has been read."""
        sampler = Sampler(request.sampling, seed, prompt, request.top_n_tokens)
        return Line(self._batch.begin(prompt), sampler, request.prompt_logprobs)

    @torch.inference_mode()
    def read(self, line: Line, size: int) -> Chosen | None:
        """Read up to `size` tokens of the prompt. The first token once all is read, None before."""
        logits = line.prefill.score() if line.scores_prompt else line.prefill.read(size)
        if logits is None:
            return None
        chosen = line.sampler.choose(logits)
        line.last = chosen.id
        return chosen

    @torch.inference_mode()
    def join(self, line: Line) -> None:
        """Make a sequence whose first token is sampled the last row."""
        self._batch.join(line.prefill)
        self._lines.append(line)
        self._chooser = None

    @torch.inference_mode()
    def leave(self, row: int) -> None:
        """Remove a row; the last takes its number."""
        self._batch.leave(row)
        last = self._lines.pop()
        if row < len(self._lines):
            self._lines[row] = last
        self._chooser = None

    @torch.inference_mode()
    def step(self) -> list[Outcome]:
        """The next token of every row, or what went wrong in choosing that row's.

        Raises what the forward pass raises; the rows are then unusable: `reset`.
        """
        logits = self._batch.step([line.last for line in self._lines])
        if self._chooser is None:
            self._chooser = Chooser([line.sampler for line in self._lines], logits.device)
        outcomes = self._chooser.draw(logits).read()
        for line, outcome in zip(self._lines, outcomes, strict=True):
            line.last = outcome.id if isinstance(outcome, Chosen) else line.last
        return outcomes

    def reset(self) -> None:
        """Drop all rows and their memory, on a GPU to the last byte: what broke may have been for want of it."""
        self._lines = []
        self._chooser = None
        self._batch = self._new_batch()
        torch.cuda.empty_cache()
