"""Decides which tokens of which sequences each step computes, within the runner's limits and memory.

Every sequence that decodes and is due gets one token; where these are too many, clients share the step. Prompts are
read within a token budget, in the order of the client's recent service plus the prompt's missing tokens; a prompt is
overtaken by at most half of its own length. Where memory is short, a sequence waits, or the youngest is preempted and
recomputed later.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from demo.engines.local.budget import PrefillBudget
from demo.engines.local.fair_queueing import PER_ADDRESS, ClientService, find_address, find_client, share_rows
from demo.engines.local.runner import Chunk, Outputs, Runner
from demo.engines.local.sequence import Sequence
from demo.engines.local.step_rates import StepRates

MAX_SCORED: Final = 128  # prompt tokens of a step with log-probabilities, each of which is a row of logits
BUSY: Final = 2.0  # a step that ends later after the one before, in its own durations, did not follow at once
ALLOWANCE: Final = 128  # prompt tokens that may overtake a prompt, beside half of its length


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A sequence's part of a step; `samples` says whether its next token is sampled."""

    sequence: Sequence
    chunk: Chunk
    samples: bool


@dataclass(frozen=True, slots=True)
class StepPlan:
    """What one step computes."""

    parts: tuple[Scheduled, ...]
    decoding: int  # number of the first parts, which have one token each
    prefill_tokens: int  # of the other parts together


class Scheduler:
    """Holds the waiting and the running sequences. Belongs to the engine's thread."""

    def __init__(self, runner: Runner, clock: Callable[[], float]) -> None:
        self.waiting: list[Sequence] = []
        self.running: list[Sequence] = []  # in the order in which they were allocated
        self._runner = runner
        self.limits = runner.limits
        self.rates = StepRates()
        self._noted = -math.inf  # when the last step was noted
        self._clock = clock
        self._budget = PrefillBudget(self.limits)
        self.service, self._address_service = ClientService(), ClientService()  # they decide whose prompt is read first
        self._steps = 0

    @property
    def pause(self) -> float:
        """Seconds until a running sequence is due, where no step can be planned now; infinite where none runs."""
        return min((each.pace.due for each in self.running if each.decodes), default=math.inf) - self._clock()

    @property
    def chunks(self) -> tuple[int, int]:
        """Prompt tokens of a step of prefill only, and of a step that also decodes."""
        return self._budget.choose(0, paced=False), self._budget.choose(1, paced=False)

    def add(self, sequence: Sequence) -> None:
        self.waiting.append(sequence)

    def remove(self, sequence: Sequence) -> None:
        """Remove a sequence that has ended, and free its memory."""
        if sequence in self.waiting:
            self.waiting.remove(sequence)
            return
        self.running.remove(sequence)
        self._free(sequence)
        if not self.running:
            self.service.forget(self._clock())
            self._address_service.forget(self._clock())

    def remove_cancelled(self) -> list[Sequence]:
        cancelled = [each for each in (*self.running, *self.waiting) if each.cancelled]
        for sequence in cancelled:
            self.remove(sequence)
        return cancelled

    def preempt(self, sequence: Sequence) -> None:
        """Free a running sequence's memory. The sequence waits, and is recomputed."""
        self.running.remove(sequence)
        self._free(sequence)
        sequence.prompt_logprobs.clear()
        self.waiting.append(sequence)

    def plan(self) -> StepPlan | None:
        """The next step, its memory allocated and reserved; None where nothing can be computed now."""
        now = self._clock()
        decodes = self._plan_decodes(now)
        prefills = self._plan_prefills(len(decodes), now)
        if not decodes and not prefills:
            return None
        for part in (*decodes, *prefills):
            self._note_service(part.sequence.request.client, part.chunk.tokens, now)
        return StepPlan((*decodes, *prefills), len(decodes), sum(part.chunk.tokens for part in prefills))

    def note(self, plan: StepPlan, seconds: float) -> None:
        """Learn from the duration of a step."""
        self._budget.note(plan.decoding, plan.prefill_tokens, seconds)
        before, self._noted = self._noted, self._clock()
        whole = self._noted - before  # with the planning and the writing of tokens between two steps
        self.rates.note(plan.decoding, plan.prefill_tokens, whole if whole <= BUSY * seconds else seconds)

    def _plan_decodes(self, now: float) -> list[Scheduled]:
        due = [each for each in self.running if each.decodes and not each.is_complete and each.is_due(now)]
        planned: list[Scheduled] = []
        self._steps += 1
        for each in share_rows(due, self.limits.efficient_decodes):  # the oldest first: the youngest are preempted
            if self._grow(each) and each.handle:
                each.decoded = self._steps
                chunk = Chunk(each.handle, () if each.in_flight else each.ids[-1:])
                planned.append(Scheduled(each, chunk, samples=True))
        return planned

    def _grow(self, sequence: Sequence) -> bool:
        """Reserve memory for a running sequence's next token; False where it was preempted itself."""
        while sequence.handle is not None and not self._runner.reserve(sequence.handle, sequence.handle.length + 1):
            self.preempt(self.running[-1])
        return sequence.handle is not None

    def _plan_prefills(self, decoding: int, now: float) -> list[Scheduled]:
        left = self._budget.choose(decoding, paced=any(each.decodes for each in self.running))
        candidates = [each for each in self.running if not each.decodes] + self.waiting
        planned: list[Scheduled] = []
        blocked = False  # whether an overdue sequence waits for memory, which no other may be allocated
        for sequence in self._order(candidates, now):
            if left <= 0:
                break
            if sequence.handle is None and (blocked or not self._allocate(sequence)):
                blocked = blocked or self._is_overdue(sequence)
                continue
            part = self._plan_prefill(sequence, left)
            if not part.samples and not decoding and any(each.samples for each in planned):
                break  # a prompt that this step completes does not wait for a chunk of a longer one
            planned.append(part)
            left -= part.chunk.tokens
            sequence.prefilled += part.chunk.tokens
            for other in candidates:
                if other.arrival < sequence.arrival and other is not sequence:
                    other.overtaken += part.chunk.tokens
        return planned

    def _order(self, candidates: list[Sequence], now: float) -> list[Sequence]:
        """First the oldest, if it is overdue; then by the client's service plus the missing tokens.

        A client that is new at its address begins with a third of what that has had, if there are other addresses.
        """
        has_others = len({find_address(find_client(each)) for each in candidates}) > 1

        def rank(sequence: Sequence) -> tuple[bool, float, float]:
            client = sequence.request.client
            service = self.service.find(client, now)
            if has_others and client is not None:
                service = max(service, self._address_service.find(find_address(client), now) / PER_ADDRESS)
            return sequence is not overdue, service + sequence.missing, sequence.arrival

        oldest = min(candidates, key=lambda sequence: sequence.arrival, default=None)
        overdue = oldest if oldest is not None and self._is_overdue(oldest) else None
        return sorted(candidates, key=rank)

    def _note_service(self, client: str | None, tokens: int, now: float) -> None:
        self.service.note(client, tokens, now)
        self._address_service.note(None if client is None else find_address(client), tokens, now)

    def _is_overdue(self, sequence: Sequence) -> bool:
        return sequence.overtaken > ALLOWANCE + sequence.prefilled // 2

    def _allocate(self, sequence: Sequence) -> bool:
        request, most = sequence.request, self.limits.max_num_seqs
        if most is not None and len(self.running) >= most:
            return False
        reuse = request.cache_prompt and not request.prompt_logprobs
        sequence.handle = self._runner.allocate(sequence.ids, request.client, reuse)
        if sequence.handle is None:
            return False
        self.waiting.remove(sequence)
        self.running.append(sequence)
        if not sequence.output.started:
            sequence.output.start(sequence.seed, sequence.handle.length)
        return True

    def _plan_prefill(self, sequence: Sequence, left: int) -> Scheduled:
        """A chunk of about `left` tokens: all missing ones, where at most a quarter of `left` would remain."""
        assert sequence.handle is not None
        first, missing = sequence.handle.length, sequence.missing
        left = min(left, MAX_SCORED) if sequence.scores_prompt else left
        whole = self.limits.whole_prompts or missing <= left * 5 // 4
        ids = sequence.ids[first:] if whole else sequence.ids[first : first + left]
        outputs: Outputs = "all" if sequence.scores_prompt else "last" if whole else "none"
        return Scheduled(sequence, Chunk(sequence.handle, ids, outputs), samples=whole)

    def _free(self, sequence: Sequence) -> None:
        if sequence.handle is not None:
            self._runner.free(sequence.handle, sequence.ids)
            sequence.handle = None
