"""A draw depends on its own seed and logits alone; log-probabilities are of the distribution that is drawn from."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from demo.engines.local.logits_processors import keep_top_k
from demo.engines.local.output import SampledToken
from demo.engines.local.sampler import BatchSampler, Sampler, draw_ids
from demo.request import COUNT, PENALTY, SCALE, TOP_N, Bounds, Sampling
from tests.engines.local.answers import choose

VOCABULARY = 50
CPU = torch.device("cpu")
seeds = st.integers(0, 2**32)

maybe = st.none() | st.floats(0.1, 0.9)
samplings = st.builds(
    Sampling,
    do_sample=st.booleans(),
    temperature=st.sampled_from([1.0, 0.3, 1.7]),
    top_k=st.none() | st.integers(1, VOCABULARY + 5),
    top_p=maybe,
    typical_p=maybe,
    repetition_penalty=st.sampled_from([1.0, 1.3]),
    frequency_penalty=st.sampled_from([0.0, 0.4]),
    presence_penalty=st.sampled_from([0.0, 0.4]),
    min_p=maybe,
)


def random_logits(seed: int, rows: int | None = None, vocabulary: int = VOCABULARY) -> torch.Tensor:
    shape = (vocabulary,) if rows is None else (rows, vocabulary)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 3


def make_samplers(samplings: list[Sampling]) -> list[Sampler]:
    return [Sampler(each, row, prompt=[row, 3], top_n=row % 3) for row, each in enumerate(samplings)]


@settings(max_examples=40)
@given(seeds, st.lists(samplings, min_size=1, max_size=8))
def test_rows_sampled_together_get_what_each_gets_alone(seed: int, samplings: list[Sampling]) -> None:
    together, alone = make_samplers(samplings), make_samplers(samplings)
    chooser = BatchSampler(together, CPU)
    for step in range(3):
        logits = random_logits(seed + step, len(samplings))
        expected = [choose(sampler, row) for sampler, row in zip(alone, logits, strict=True)]
        assert chooser.draw(logits).read() == expected


def test_rows_of_a_large_vocabulary_get_what_each_gets_alone() -> None:
    drawn = Sampling(do_sample=True, typical_p=0.9)
    samplings = [Sampling(), Sampling(), drawn, drawn, drawn, Sampling(top_p=0.8)]
    logits = random_logits(5, len(samplings), vocabulary=49152)
    alone = [choose(sampler, row) for sampler, row in zip(make_samplers(samplings), logits, strict=True)]
    assert BatchSampler(make_samplers(samplings), CPU).draw(logits).read() == alone


def test_sampling_waits_for_no_result_of_the_device() -> None:
    every = Sampling(
        True, 0.3, 5, 0.9, 0.9, repetition_penalty=1.3, frequency_penalty=0.4, presence_penalty=0.4, min_p=0.1
    )
    # A fake tensor has a shape and no values: reading one raises.
    with FakeTensorMode(allow_non_fake_inputs=True):
        drawn = BatchSampler(make_samplers([Sampling(), every, every, every]), CPU).draw(torch.empty(4, VOCABULARY))
        with pytest.raises(DataDependentOutputException):
            drawn.read()


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(do_sample=True), Sampling(frequency_penalty=1.0)])
def test_a_row_with_nan_fails_alone(sampling: Sampling) -> None:
    logits = random_logits(2, rows=3)
    logits[1] = math.nan
    first, second, third = BatchSampler(make_samplers([sampling] * 3), CPU).draw(logits).read()
    assert isinstance(second, ValueError)
    assert "not numbers" in str(second)
    assert isinstance(first, SampledToken)
    assert isinstance(third, SampledToken)


def at_the_bounds(bounds: Bounds, *others: float | None) -> st.SearchStrategy[float | None]:
    return st.sampled_from([bounds.low, bounds.high, *others])


share = st.sampled_from([None, 5e-324, 1e-30, math.nextafter(1, 0)])
extremes = st.fixed_dictionaries(
    {
        "do_sample": st.booleans(),
        "temperature": at_the_bounds(SCALE, 1.0),
        "repetition_penalty": at_the_bounds(SCALE, 1.0),
        "frequency_penalty": at_the_bounds(PENALTY, 0.0),
        "presence_penalty": at_the_bounds(PENALTY, 0.0),
        "top_k": at_the_bounds(COUNT, None),
        "top_p": share,
        "typical_p": share,
        "min_p": share | st.just(1.0),
    }
)


@settings(max_examples=40)
@given(seeds, st.lists(extremes, min_size=1, max_size=4), st.sampled_from([1.0, 1e4]), st.sampled_from([0, 2**64 - 1]))
def test_every_admitted_sampling_finds_a_token(
    seed: int, extremes: list[dict[str, Any]], size: float, own_seed: int
) -> None:
    samplers = [Sampler(Sampling(**each), own_seed, prompt=[0, 1, 2], top_n=int(TOP_N.high)) for each in extremes]
    chooser = BatchSampler(samplers, CPU)
    for step in range(3):
        for outcome in chooser.draw(size * random_logits(seed + step, len(extremes))).read():
            assert isinstance(outcome, SampledToken)
            assert 0 <= outcome.id < VOCABULARY
            assert all(math.isfinite(logprob) for logprob in (outcome.logprob, *(each for _, each in outcome.top)))


def test_of_equal_logits_greedy_takes_the_first() -> None:
    logits = torch.zeros(2, 49152)
    logits[:, [7, 30000, 49151]] = 1.0
    outcomes = BatchSampler(make_samplers([Sampling()] * 2), CPU).draw(logits).read()
    assert [each.id for each in outcomes if isinstance(each, SampledToken)] == [7, 7]


def test_penalties_act_from_step_to_step() -> None:
    logits = torch.tensor([2.0, 1.9, 0.0])
    sampler = Sampler(Sampling(frequency_penalty=0.5), seed=0, prompt=[0])
    assert [choose(sampler, logits).id for _ in range(3)] == [0, 1, 0]
    sampler = Sampler(Sampling(repetition_penalty=2.0), seed=0, prompt=[0])
    assert choose(sampler, logits).id == 1


@settings(max_examples=10)
@given(seeds)
def test_the_same_seed_draws_the_same_tokens(seed: int) -> None:
    steps = [random_logits(seed + step) for step in range(5)]
    sampling = Sampling(do_sample=True, temperature=1.5, top_p=0.9)
    first, second = (Sampler(sampling, seed, prompt=[1]) for _ in range(2))
    assert [choose(first, step) for step in steps] == [choose(second, step) for step in steps]


@settings(max_examples=20)
@given(seeds)
def test_the_logprob_is_of_the_distribution_drawn_from(seed: int) -> None:
    logits = random_logits(seed)
    chosen = choose(Sampler(Sampling(temperature=0.7, top_k=5), seed, prompt=[1], top_n=5), logits)
    expected = keep_top_k(logits[None] / 0.7, torch.tensor([[5]]), 5)[0].log_softmax(-1)
    assert chosen.logprob == pytest.approx(float(expected[chosen.id]), abs=1e-5)
    assert math.fsum(math.exp(logprob) for _, logprob in chosen.top) == pytest.approx(1.0, abs=1e-5)
    assert chosen.id in [id for id, _ in chosen.top]


def test_draws_follow_the_probabilities() -> None:
    logits = torch.tensor([0.5, 0.3, 0.2, 0.0]).log().expand(4000, -1)
    points = torch.rand(4000, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    ids = draw_ids(logits, points, torch.empty_like(logits, dtype=torch.float64))
    counts = torch.bincount(ids[:, 0], minlength=4) / 4000
    assert counts.tolist() == pytest.approx([0.5, 0.3, 0.2, 0.0], abs=0.03)
    assert counts[3] == 0


def test_each_row_draws_with_its_own_seed_and_its_own_penalties() -> None:
    logits = torch.zeros(3, VOCABULARY)
    logits[:, :2] = torch.tensor([3.0, 2.9])
    drawn, greedy = Sampling(do_sample=True), Sampling(frequency_penalty=0.5)
    seeds = {sampler: Sampler(drawn, sampler, [0]) for sampler in (3, 4)}
    batch = BatchSampler([seeds[3], Sampler(greedy, 0, [0]), seeds[4]], CPU)
    rows = [[each.id for each in batch.draw(logits).read() if isinstance(each, SampledToken)] for _ in range(6)]
    for place, seed in ((0, 3), (2, 4)):
        alone = Sampler(drawn, seed, [0])
        assert [row[place] for row in rows] == [choose(alone, logits[0]).id for _ in rows]
    assert [row[1] for row in rows] == [0, 1, 0, 1, 0, 1]


def test_greedy_takes_the_likeliest_with_its_plain_logprob() -> None:
    logits = random_logits(3)
    chosen = choose(Sampler(Sampling(), seed=0, prompt=[0]), logits)
    assert chosen.id == int(logits.argmax())
    assert chosen.logprob == pytest.approx(float(logits.log_softmax(-1).max()))
