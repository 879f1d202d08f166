"""One admitted request: its tokens, the handle of its KV cache, and its progress. Knows no tensor."""

from collections.abc import Callable
from collections.abc import Sequence as Ids
from functools import cached_property
from typing import TYPE_CHECKING

from demo.engine import Ticket
from demo.engines.local.output import Output, SampledToken
from demo.engines.local.pace import Pace
from demo.engines.local.runner import Handle
from demo.errors import describe_failure
from demo.request import Request

if TYPE_CHECKING:
    from demo.engines.local.sampler import Sampler


class Sequence(Ticket):
    """The ticket of a request. It belongs to the engine's thread; any thread may `cancel` it."""

    def __init__(
        self,
        request: Request,
        prompt: Ids[int],
        seed: int,
        output: Output,
        arrival: float,
        on_cancel: Callable[[], None],
    ) -> None:
        self.request = request
        self.prompt_length = len(prompt)
        self.ids = list(prompt)  # with the tokens sampled since
        self.seed = seed
        self.output = output
        self.arrival = arrival
        self.pace = Pace(request.pace)
        self.cancelled = False
        self.handle: Handle | None = None  # None while it waits
        self.in_flight = False  # whether a step in flight samples its next token
        self.prompt_logprobs: list[float] = []  # of the prompt's tokens from the second on, where they are asked for
        self.overtaken = 0  # prompt tokens of later requests that were read before it
        self.decoded = 0  # the number of the step that it last decoded in
        self.prefilled = 0  # prompt tokens that were read rather than reused
        self.expected_cached = 0  # prompt tokens that are expected to be reused, while it waits
        self.rank = 0.5  # where among all possible lengths that of its answer is assumed to be
        self.forecast: Callable[[Sequence], float | None] = lambda sequence: None  # seconds until it ends
        self._on_cancel = on_cancel

    @cached_property
    def sampler(self) -> "Sampler":
        from demo.engines.local.sampler import Sampler  # it imports torch

        prompt = self.ids[: self.prompt_length]
        return Sampler(self.request.sampling, self.seed, prompt, self.request.top_n_tokens)

    @property
    def missing(self) -> int:
        """Known tokens whose keys and values have not been computed."""
        return len(self.ids) - (self.handle.length if self.handle else 0)

    @property
    def decodes(self) -> bool:
        """Whether its next chunk is one token: its last one, known or in flight."""
        if self.handle is None:
            return False
        return self.in_flight or (self.missing == 1 and len(self.ids) > self.prompt_length)

    @property
    def scores_prompt(self) -> bool:
        """Whether its prompt's log-probabilities are still to be computed."""
        return self.request.prompt_logprobs and self.output.generated == 0

    @property
    def is_complete(self) -> bool:
        """Whether the step in flight samples its last token."""
        expected = self.output.generated + self.in_flight
        return self.request.max_new_tokens is not None and expected >= self.request.max_new_tokens

    def is_due(self, now: float) -> bool:
        """Whether its pace allows the next token now."""
        return (self.pace.following if self.in_flight else self.pace.due) <= now

    def cancel(self) -> None:
        """Ask the engine's thread to end it after the current step."""
        self.cancelled = True
        self._on_cancel()

    def find_remaining(self) -> float | None:
        return self.forecast(self)

    def accept(self, outcome: SampledToken | Exception) -> None:
        """Append a sampled token, or fail with the error of its sampling."""
        if isinstance(outcome, Exception):
            self.output.fail(describe_failure(outcome))
            return
        self.ids.append(outcome.id)
        self.pace.note(self.output.accept(outcome))
