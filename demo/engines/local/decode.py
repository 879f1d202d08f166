"""Prefill of one prompt and one step for all rows, each ending in sampled tokens."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from demo.engines.local.async_copy import send
from demo.engines.local.batch import AheadBatch, Batch, Chunks, Prefill
from demo.engines.local.sampler import BatchSampler, Outcome, Sampler, SamplerOutput
from demo.engines.local.sequence import SampledToken
from demo.events import Request


@dataclass(slots=True, eq=False)
class Line:
    """One sequence: its prompt being read, then its place among the rows. `last` is the id to append next."""

    prefill: Prefill
    sampler: Sampler
    scores_prompt: bool = False
    last: int = -1


@dataclass(frozen=True, slots=True)
class Flight:
    """A step that has been launched and not been read: for these lines, in this order."""

    lines: tuple[Line, ...]
    drawn: SamplerOutput

    def read(self) -> dict[Line, Outcome]:
        """What came of it for each line, waiting until it is known."""
        outcomes = dict(zip(self.lines, self.drawn.read(), strict=True))
        for line, outcome in outcomes.items():
            line.last = outcome.id if isinstance(outcome, SampledToken) else line.last
        return outcomes

    def ids_for(self, lines: Sequence[Line]) -> Tensor:
        """The chosen ids [lines] of those lines that are still there, on the device."""
        if self.lines == tuple(lines):
            return self.drawn.ids
        places = {line: place for place, line in enumerate(self.lines)}
        return self.drawn.ids[send(torch.tensor([places[line] for line in lines]), self.drawn.ids.device)]


class Decoder:
    """Rows in the order in which they joined; where one leaves, the last takes its number.

    With `looks_ahead`, for an AheadBatch, a step may be launched before the last one is read.
    """

    def __init__(self, new_batch: Callable[[], Batch], looks_ahead: bool = False) -> None:
        self._new_batch = new_batch
        self._batch = new_batch()
        self._looks_ahead = looks_ahead
        self._lines: list[Line] = []
        self._chooser: BatchSampler | None = None  # of the lines; None when they have changed
        self._flight: Flight | None = None

    @property
    def chunks(self) -> Chunks:
        """How much of a prompt to read at a time."""
        return self._batch.chunks

    @property
    def room(self) -> int | None:
        """How many rows there can be; None where nothing bounds them beforehand."""
        return self._batch.room

    @property
    def together(self) -> int:
        """How many prompts are read together at most."""
        return self._batch.together

    @property
    def is_ahead(self) -> bool:
        """Whether a step is under way. Nothing may join then: it would have no place in that step."""
        return self._flight is not None

    def open(self, prompt: Sequence[int], request: Request, seed: int) -> Line:
        """A sequence that will join once its prompt has been read."""
        sampler = Sampler(request.sampling, seed, prompt, request.top_n_tokens)
        return Line(self._batch.begin(prompt), sampler, request.prompt_logprobs)

    @torch.inference_mode()
    def read(self, lines: Sequence[Line], size: int) -> list[Outcome | None]:
        """Read about `size` tokens of these prompts. The first token of each that has been read, None for the others.

        One that scores its prompt is read by itself, and the others wait. Raises what the forward pass raises; none
        of the lines can go on then.
        """
        scored = next((line for line in lines if line.scores_prompt), None)
        if scored is not None:
            found = [line.prefill.score() if line is scored else None for line in lines]
        else:
            found = self._batch.read([line.prefill for line in lines], size)
        return [None if logits is None else _begin(line, logits) for line, logits in zip(lines, found, strict=True)]

    @torch.inference_mode()
    def join(self, line: Line) -> None:
        """Make a sequence whose first token is sampled the last row."""
        assert self._flight is None
        self._batch.join(line.prefill)
        self._lines.append(line)
        self._chooser = None

    @torch.inference_mode()
    def leave(self, row: int) -> None:
        """Remove a row; the last takes its number. What a step under way computes for it is thrown away."""
        self._batch.leave(row)
        self._drop(row)
        if not self._lines:
            self._flight = None

    @torch.inference_mode()
    def park(self, row: int) -> Line:
        """Take a row out of the steps, as `leave` does; its sequence may `join` again."""
        assert self._flight is None
        line = self._lines[row]
        self._batch.park(row, line.prefill)
        self._drop(row)
        return line

    def _drop(self, row: int) -> None:
        last = self._lines.pop()
        if row < len(self._lines):
            self._lines[row] = last
        self._chooser = None

    def wait(self) -> None:
        """Return when the device has ended the step under way, if there is one. Raises what the step raises."""
        if self._flight is not None:
            self._flight.drawn.wait()

    @torch.inference_mode()
    def step(self, ahead: bool = False) -> list[Outcome]:
        """The next token of every row, or what went wrong in choosing that row's.

        `ahead` allows to launch the step after it before this one is read, so that the device need not wait.
        Raises what the forward pass raises; the rows are then unusable: `reset`.
        """
        flight, self._flight = self._flight, None
        if flight is None:
            flight = self._launch(self._batch.step([line.last for line in self._lines]))
        if ahead and self._looks_ahead and isinstance(self._batch, AheadBatch):
            self._flight = self._launch(self._batch.follow(flight.ids_for(self._lines)))
        outcomes = flight.read()
        return [outcomes[line] for line in self._lines]

    def _launch(self, logits: Tensor) -> Flight:
        if self._chooser is None:
            self._chooser = BatchSampler([line.sampler for line in self._lines], logits.device)
        return Flight(tuple(self._lines), self._chooser.draw(logits))

    def reset(self) -> None:
        """Drop all rows and their memory, on a GPU to the last byte: what broke may have been for want of it."""
        self._lines = []
        self._chooser = None
        self._flight = None
        self._batch = self._new_batch()
        torch.cuda.empty_cache()


def _begin(line: Line, logits: Tensor) -> Outcome:
    """The first token of a line, or what went wrong in choosing it."""
    try:
        chosen = line.sampler.choose(logits)
    except Exception as error:
        return error
    line.last = chosen.id
    return chosen
