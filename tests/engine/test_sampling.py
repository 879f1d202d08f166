"""Warpers equal transformers' own, draws depend on the seed alone, logprobs are of what was drawn from."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import (
    LogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)

from demo.engine.sampling import (
    Sampler,
    keep_top_k,
    keep_top_p,
    keep_typical_p,
    penalise_frequency,
    penalise_repetition,
)
from demo.events import Sampling

VOCABULARY = 50
seeds = st.integers(0, 2**32)
probabilities = st.floats(0.05, 0.95)


def random_logits(seed: int) -> torch.Tensor:
    return torch.randn(VOCABULARY, generator=torch.Generator().manual_seed(seed)) * 3


def reference(processor: LogitsProcessor, logits: torch.Tensor, ids: torch.Tensor | None = None) -> torch.Tensor:
    seen = torch.zeros(1, 1, dtype=torch.long) if ids is None else ids[None]
    scores: torch.Tensor = processor(seen, logits.clone()[None])
    return scores[0]


@given(seeds, st.integers(1, VOCABULARY + 5))
def test_top_k_equals_transformers(seed: int, k: int) -> None:
    logits = random_logits(seed)
    assert torch.equal(keep_top_k(logits, k), reference(TopKLogitsWarper(k), logits))


@given(seeds, probabilities)
def test_top_p_equals_transformers(seed: int, p: float) -> None:
    logits = random_logits(seed)
    assert torch.equal(keep_top_p(logits, p), reference(TopPLogitsWarper(p), logits))


@given(seeds, probabilities)
def test_typical_p_equals_transformers(seed: int, p: float) -> None:
    logits = random_logits(seed)
    assert torch.equal(keep_typical_p(logits, p), reference(TypicalLogitsWarper(p), logits))


@given(seeds, st.floats(0.5, 2.0), st.lists(st.integers(0, VOCABULARY - 1), min_size=1))
def test_repetition_penalty_equals_transformers(seed: int, penalty: float, ids: list[int]) -> None:
    logits, seen = random_logits(seed), torch.tensor(ids)
    expected = reference(RepetitionPenaltyLogitsProcessor(penalty), logits, seen)
    assert torch.equal(penalise_repetition(logits, seen, penalty), expected)


def test_frequency_penalty_counts_what_was_generated() -> None:
    logits = penalise_frequency(torch.zeros(4), torch.tensor([1, 1, 3]), 0.5)
    assert logits.tolist() == [0.0, -1.0, 0.0, -0.5]


def test_penalties_act_from_step_to_step() -> None:
    logits = torch.tensor([2.0, 1.9, 0.0])
    sampler = Sampler(Sampling(frequency_penalty=0.5), seed=0, prompt=[0])
    assert [sampler.choose(logits).id for _ in range(3)] == [0, 1, 0]
    sampler = Sampler(Sampling(repetition_penalty=2.0), seed=0, prompt=[0])
    assert sampler.choose(logits).id == 1


@given(seeds)
def test_the_same_seed_draws_the_same_tokens(seed: int) -> None:
    steps = [random_logits(seed + step) for step in range(5)]
    sampling = Sampling(do_sample=True, temperature=1.5, top_p=0.9)
    first, second = (Sampler(sampling, seed, prompt=[1]) for _ in range(2))
    assert [first.choose(step) for step in steps] == [second.choose(step) for step in steps]


@given(seeds)
def test_the_logprob_is_of_the_distribution_drawn_from(seed: int) -> None:
    logits = random_logits(seed)
    chosen = Sampler(Sampling(temperature=0.7, top_k=5), seed, prompt=[1], top_n=5).choose(logits)
    expected = keep_top_k(logits / 0.7, 5).log_softmax(-1)
    assert chosen.logprob == pytest.approx(float(expected[chosen.id]), abs=1e-5)
    assert math.fsum(math.exp(logprob) for _, logprob in chosen.top) == pytest.approx(1.0, abs=1e-5)
    assert chosen.id in [id for id, _ in chosen.top]


def test_draws_follow_the_probabilities() -> None:
    logits = torch.tensor([0.5, 0.3, 0.2, 0.0]).log()
    sampler = Sampler(Sampling(do_sample=True), seed=1, prompt=[0])
    counts = torch.bincount(torch.tensor([sampler.choose(logits).id for _ in range(4000)]), minlength=4) / 4000
    assert counts.tolist() == pytest.approx([0.5, 0.3, 0.2, 0.0], abs=0.03)
    assert counts[3] == 0


def test_greedy_takes_the_likeliest_with_its_plain_logprob() -> None:
    logits = random_logits(3)
    chosen = Sampler(Sampling(), seed=0, prompt=[0]).choose(logits)
    assert chosen.id == int(logits.argmax())
    assert chosen.logprob == pytest.approx(float(logits.log_softmax(-1).max()))


def test_logits_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="not numbers"):
        Sampler(Sampling(do_sample=True), seed=0, prompt=[0]).choose(torch.full((4,), math.nan))
