"""What a GPU would replay gives the tokens of eager computation, whatever the allocator lets a replay write over."""

from dataclasses import dataclass, field
from typing import TypeAlias

import pytest
import torch
from transformers import PreTrainedModel

from demo.engine import Loading
from demo.engines.local.output import SampledToken
from demo.engines.local.runners.transformers.cuda_graphs.loading import CannotCapture, Captured, Plan, capture_parts
from demo.engines.local.sampler import Sampler
from demo.request import Request, Sampling
from tests.engines.local.answers import choose, naive_ids
from tests.engines.local.runners.transformers.cuda_graphs.stand_in import StandInCapturer
from tests.engines.local.tiny import make_network

PLAN = Plan(rows=3, columns=300, captured=(1, 2, 4))
SAMPLINGS = {
    "greedy": Sampling(),
    "seeded": Sampling(do_sample=True, temperature=1.4),
    "nucleus": Sampling(top_p=0.8),
    "truncated": Sampling(top_k=40, top_p=0.9),
    "typical": Sampling(typical_p=0.8, min_p=0.01),
    "penalised": Sampling(do_sample=True, repetition_penalty=1.3, presence_penalty=0.5, frequency_penalty=0.2),
}
EVERY = list(SAMPLINGS.values())


Parts: TypeAlias = tuple[PreTrainedModel, Captured]


def capture(architecture: str, capturer: StandInCapturer) -> Parts:
    network = make_network(architecture)
    return network, capture_parts(network, PLAN, lambda loading: None, capturer)


@pytest.fixture(scope="module")
def llama() -> Parts:
    return capture("llama", StandInCapturer())


def make_prompt(length: int) -> list[int]:
    return [1 + 7 * place % 200 for place in range(length)]


@dataclass
class CapturedLoop:
    """A minimal engine: sequences join and leave between steps. `tokens` by slot, of those that are there."""

    parts: Captured
    tokens: dict[int, list[SampledToken]] = field(default_factory=dict)

    @torch.inference_mode()
    def step(self, *joining: tuple[list[int], Sampler], skipped: int | None = None) -> list[int]:
        """One token more for each sequence but that in `skipped`, and the first of each joining one. Their slots."""
        running = [slot for slot in self.tokens if slot != skipped]
        if running:
            self.parts.step(running)
        joined = [self._read(prompt, sampler, []) for prompt, sampler in joining]
        self._draw(running + joined)
        return joined

    @torch.inference_mode()
    def resume(self, prompt: list[int], sampler: Sampler, generated: list[int]) -> list[int]:
        """Continue a sequence of which some tokens are `generated`."""
        slot = self._read(prompt, sampler, generated)
        self._draw([slot])
        return [slot]

    def _draw(self, slots: list[int]) -> None:
        outcomes = self.parts.sampler.draw(slots).read()
        for slot, outcome in zip(slots, outcomes, strict=True):
            assert isinstance(outcome, SampledToken), outcome
            self.tokens[slot].append(outcome)

    def _read(self, prompt: list[int], sampler: Sampler, generated: list[int]) -> int:
        ids = prompt + generated
        read = self.parts.reader.read(torch.tensor([ids]))
        assert read is not None, "no prefill of that length is captured"
        logits, cache = read
        slot = self.parts.step.cache.join(cache.filled(), len(ids))
        self.parts.step.place(slot, logits[0, 0])
        self.parts.sampler.join(slot, sampler, generated)
        self.tokens[slot] = []
        return slot

    @torch.inference_mode()
    def leave(self, slot: int) -> list[int]:
        """Free a slot: the ids sampled for it."""
        self.parts.step.cache.leave(slot)
        self.parts.sampler.leave(slot)
        return [token.id for token in self.tokens.pop(slot)]


class Compared:
    """Sequences of a captured loop, each compared with a naive one when it leaves."""

    def __init__(self, network: PreTrainedModel, parts: Captured) -> None:
        self.loop = CapturedLoop(parts)
        self._network = network
        self._asked: dict[int, tuple[list[int], Sampling]] = {}

    def step(self, *joining: tuple[int, Sampling], skipped: int | None = None, times: int = 1) -> list[int]:
        """Steps, the first with joining of so many prompt tokens; their slots."""
        asked = [(make_prompt(length), sampling) for length, sampling in joining]
        slots = self.loop.step(*[(prompt, Sampler(sampling, 7, prompt)) for prompt, sampling in asked])
        self._asked.update(zip(slots, asked, strict=True))
        for _ in range(times - 1):
            self.loop.step(skipped=skipped)
        return slots

    def leave(self, slot: int) -> None:
        prompt, sampling = self._asked.pop(slot)
        ids = self.loop.leave(slot)
        assert ids == naive_ids(self._network, prompt, Request("x", len(ids), sampling), seed=7)


@pytest.mark.parametrize("sampling", EVERY, ids=list(SAMPLINGS))
def test_rows_that_join_and_leave_get_eager_tokens(sampling: Sampling, llama: Parts) -> None:
    rows = Compared(*llama)
    (first,) = rows.step((5, sampling))
    second, third = rows.step((251, sampling), (40, sampling), times=7)  # 251 tokens outgrow a captured size
    rows.leave(second)
    rows.step(skipped=third, times=3)  # over a hole
    (second,) = rows.step((9, sampling), times=3)
    for slot in (first, second, third):
        rows.leave(slot)


def test_every_captured_computation_gives_eager_tokens() -> None:
    capturer = StandInCapturer()
    rows = Compared(*capture("llama", capturer))
    for sampling in EVERY:
        for lengths in ([5], [251], [251, 40], [251, 40, 100]):  # 251 tokens outgrow a captured size
            for slot in rows.step(*[(length, sampling) for length in lengths], times=7):
                rows.leave(slot)
    assert not capturer.unlaunched


@pytest.mark.parametrize("architecture", ["llama", "fused QKV"])
def test_rows_of_every_kind_in_one_step_get_eager_tokens(architecture: str) -> None:
    rows = Compared(*capture(architecture, StandInCapturer()))
    for samplings in (EVERY[:3], EVERY[3:]):
        for slot in rows.step(*[(4, sampling) for sampling in samplings], times=6):
            rows.leave(slot)


def test_alternatives_are_those_of_eager_sampling(llama: Parts) -> None:
    network, parts = llama
    loop, prompt = CapturedLoop(parts), make_prompt(6)
    slots = loop.step(*[(prompt, Sampler(Sampling(top_k=3), 7, prompt, top_n)) for top_n in (0, 2, 5)])
    with torch.inference_mode():
        logits = network(input_ids=torch.tensor([prompt])).logits[0, -1]
    for slot, top_n in zip(slots, (0, 2, 5), strict=True):
        expected = choose(Sampler(Sampling(top_k=3), 7, prompt, top_n), logits)
        (found,) = loop.tokens[slot]
        assert (found.id, [id for id, _ in found.top]) == (expected.id, [id for id, _ in expected.top])
        assert found.logprob == pytest.approx(expected.logprob, abs=1e-5)
        loop.leave(slot)


def test_a_sequence_continues_in_another_slot(llama: Parts) -> None:
    network, parts = llama
    rows, sampling = Compared(network, parts), SAMPLINGS["penalised"]
    (slot,) = rows.step((6, sampling), times=4)
    known = [token.id for token in rows.loop.tokens[slot]]
    ids = rows.loop.leave(slot)
    prompt = make_prompt(6)
    expected = naive_ids(network, prompt, Request("x", 8, sampling), seed=7)
    (slot,) = rows.loop.resume(prompt, Sampler(sampling, 7, prompt), known)
    for _ in range(3):
        rows.loop.step()
    assert ids + rows.loop.leave(slot) == expected


def test_a_model_whose_step_waits_for_a_result_is_not_captured_and_the_error_names_the_operation() -> None:
    network = make_network()
    network.lm_head.register_forward_hook(lambda module, inputs, output: output * float(output.isfinite().all()))
    steps: list[Loading] = []
    with pytest.raises(CannotCapture, match="item is not permitted when a stream is capturing"):
        capture_parts(network, PLAN, steps.append, StandInCapturer())
    assert steps[-1].step == "capturing the step for 1 rows of 256 tokens, 1 of 6"  # the smallest size
