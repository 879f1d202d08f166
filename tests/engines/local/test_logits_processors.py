"""Logits processors equal transformers' own, with each row's own parameters, and no row changes another."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import (
    LogitsProcessor,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)

from demo.engines.local.logits_processors import (
    NO_TOP_K,
    RANKED_FIRST,
    Feature,
    apply_penalties,
    apply_temperature,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    keep_typical_p,
    process_logits,
    split_columns,
    stack_parameters,
)
from demo.request import Sampling

VOCABULARY = 50
seeds = st.integers(0, 2**32)
# Of few values: among all floats hypothesis finds those that equal a sum of probabilities but for its rounding.
probabilities = st.lists(st.integers(3, 61).map(lambda number: number / 64), min_size=1, max_size=4)


def random_logits(seed: int, rows: int) -> Tensor:
    return torch.randn(rows, VOCABULARY, generator=torch.Generator().manual_seed(seed)) * 3


def column(values: list[float] | list[int]) -> Tensor:
    return torch.tensor(values)[:, None]


def penalise(logits: Tensor, seen: Tensor, counts: Tensor, sampling: Sampling) -> Tensor:
    parameters = split_columns(stack_parameters([sampling] * len(logits), logits.device))
    return apply_penalties(logits, seen, counts, parameters, Feature.PENALTIES)


def refer(processors: list[LogitsProcessor], logits: Tensor) -> Tensor:
    """What transformers makes of each row alone."""
    none = torch.zeros(1, 1, dtype=torch.long)
    return torch.cat([each(none, row[None].clone()) for each, row in zip(processors, logits, strict=True)])


@settings(max_examples=30)
@given(seeds, st.lists(st.integers(1, VOCABULARY + 5), min_size=1, max_size=4))
def test_top_k_equals_transformers(seed: int, ks: list[int]) -> None:
    logits = random_logits(seed, len(ks))
    assert torch.equal(keep_top_k(logits, column(ks), max(ks)), refer([TopKLogitsWarper(k) for k in ks], logits))


@pytest.mark.parametrize(
    ("keep", "warper"),
    [(keep_top_p, TopPLogitsWarper), (keep_typical_p, TypicalLogitsWarper), (keep_min_p, MinPLogitsWarper)],
)
@settings(max_examples=30)
@given(seed=seeds, ps=probabilities)
def test_what_keeps_a_share_of_the_probability_equals_transformers(
    keep: Callable[[Tensor, Tensor], Tensor], warper: Callable[[float], LogitsProcessor], seed: int, ps: list[float]
) -> None:
    logits = random_logits(seed, len(ps))
    assert torch.equal(keep(logits, column(ps)), refer([warper(p) for p in ps], logits))


@pytest.mark.parametrize(("p", "kept"), [(0.49, 1), (0.5, 1), (0.51, 2), (0.75, 2), (0.76, 3), (0.999, 4)])
def test_top_p_keeps_the_token_that_reaches_it_and_none_after_it(p: float, kept: int) -> None:
    logits = torch.tensor([[0.5, 0.25, 0.125, 0.125]]).log()  # sums of these probabilities are exact
    processed = keep_top_p(torch.cat([logits, logits.flip(-1)]), column([p, p]))
    expected = [True] * kept + [False] * (4 - kept) if kept != 3 else [True, True, True, True]  # of equals all are kept
    assert processed[0].isfinite().tolist() == processed[1].isfinite().tolist()[::-1] == expected


@pytest.mark.parametrize("spread", [0.1, 8], ids=["nearly all are needed", "few are"])
def test_of_a_large_vocabulary_the_same_is_kept_however_many_are_needed(spread: float) -> None:
    logits, ps = spread * torch.randn(2, 49152, generator=torch.Generator().manual_seed(0)), [0.5, 0.95]
    assert (logits.softmax(dim=-1).topk(RANKED_FIRST).values.sum(dim=-1) > 0.95).tolist() == [spread > 1] * 2
    assert torch.equal(keep_top_p(logits, column(ps)), refer([TopPLogitsWarper(p) for p in ps], logits))
    assert torch.equal(keep_typical_p(logits, column(ps)), refer([TypicalLogitsWarper(p) for p in ps], logits))


@settings(max_examples=30)
@given(seeds, probabilities)
def test_temperature_gives_the_probabilities_that_transformers_gives(seed: int, temperatures: list[float]) -> None:
    logits = random_logits(seed, len(temperatures))
    expected = refer([TemperatureLogitsWarper(each) for each in temperatures], logits)
    torch.testing.assert_close(apply_temperature(logits, column(temperatures)).softmax(-1), expected.softmax(-1))


@settings(max_examples=30)
@given(seeds, st.floats(0.5, 2.0), st.lists(st.integers(0, VOCABULARY - 1), min_size=1))
def test_repetition_penalty_equals_transformers(seed: int, penalty: float, ids: list[int]) -> None:
    logits, seen = random_logits(seed, 1), torch.zeros(1, VOCABULARY, dtype=torch.bool)
    seen[0, ids] = True
    expected = RepetitionPenaltyLogitsProcessor(penalty)(torch.tensor([ids]), logits.clone())
    assert torch.equal(penalise(logits, seen, seen.float(), Sampling(repetition_penalty=penalty)), expected)


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (Sampling(frequency_penalty=0.5), [0.0, -1.0, 0.0, -0.5]),
        (Sampling(presence_penalty=0.5), [0.0, -0.5, 0.0, -0.5]),
    ],
    ids=["frequency counts what was generated", "presence counts each token once"],
)
def test_openais_penalties_are_subtracted(sampling: Sampling, expected: list[float]) -> None:
    counts = torch.tensor([[0.0, 2.0, 0.0, 1.0]])
    assert penalise(torch.zeros(1, 4), counts > 0, counts, sampling).tolist() == [expected]


def test_a_default_parameter_changes_no_bit() -> None:
    logits, seen = random_logits(0, 3), torch.ones(3, VOCABULARY, dtype=torch.bool)
    neutral = split_columns(stack_parameters([Sampling()] * 3, logits.device))
    penalised = penalise(logits, seen, seen.float(), Sampling())
    assert torch.equal(process_logits(penalised, neutral, ~Feature.NONE, NO_TOP_K, VOCABULARY), logits)
