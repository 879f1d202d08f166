"""The prefill budget follows the measured durations of steps."""

import pytest

from demo.engines.local.budget import ALONE_SECONDS, STRETCH, PrefillBudget
from demo.engines.local.runner import Limits

LIMITS = Limits(max_prefill_tokens=512, min_prefill_tokens=4, efficient_prefill_tokens=32)


def settle(budget: PrefillBudget, decoding: int, decode_seconds: float, per_token: float, fixed: float = 0.0) -> int:
    """The tokens of a step after many, each with as many prompt tokens as allowed, and some without any."""
    for _ in range(50):
        budget.note(decoding, 0, decode_seconds)
        tokens = budget.choose(decoding, paced=False)
        budget.note(decoding, tokens, decode_seconds + fixed + per_token * tokens)
    return budget.choose(decoding, paced=False)


@pytest.mark.parametrize(("decode_seconds", "per_token"), [(0.005, 0.0005), (0.03, 0.0002), (0.011, 0.0001)])
def test_prefill_beside_decode_takes_a_step_to_the_target_duration(decode_seconds: float, per_token: float) -> None:
    tokens = settle(PrefillBudget(LIMITS), 3, decode_seconds, per_token)
    assert decode_seconds + tokens * per_token == pytest.approx(STRETCH * decode_seconds, rel=0.2)


def test_the_budget_is_within_the_runners_limits() -> None:
    assert settle(PrefillBudget(LIMITS), 1, 0.001, 0.1) == 4
    assert settle(PrefillBudget(LIMITS), 1, 1.0, 1e-6) == 512


def test_the_fixed_cost_of_a_chunk_counts() -> None:
    tokens = settle(PrefillBudget(LIMITS), 1, 0.03, 0.0005, fixed=0.03)
    assert 0.06 + tokens * 0.0005 == pytest.approx(STRETCH * 0.03, rel=0.2)


def test_one_slow_step_does_not_make_later_ones_small_for_long() -> None:
    budget = PrefillBudget(LIMITS)
    before = settle(budget, 2, 0.005, 0.0005)
    budget.note(2, before, 1.0)
    assert budget.choose(2, paced=False) >= before // 2
    assert settle(budget, 2, 0.005, 0.0005) == pytest.approx(before, rel=0.2)


def test_prefill_alone_takes_the_target_duration_but_reads_an_efficient_number_of_tokens() -> None:
    def read(per_token: float) -> int:
        budget = PrefillBudget(LIMITS)
        for _ in range(50):
            tokens = budget.choose(0, paced=False)
            budget.note(0, tokens, tokens * per_token)
        return budget.choose(0, paced=False)

    assert read(0.0005) * 0.0005 == pytest.approx(ALONE_SECONDS, rel=0.3)
    assert read(0.01) == 32
    assert read(1e-6) == 512


def test_a_paced_sequence_is_delayed_no_more_than_a_decoding_one() -> None:
    budget = PrefillBudget(LIMITS)
    settle(budget, 1, 0.005, 0.0005)
    assert budget.choose(0, paced=True) == budget.choose(1, paced=False) < budget.choose(0, paced=False)
