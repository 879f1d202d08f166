"""Predicted times are those at which the scheduler gives first tokens and ends answers, at the rates that it had.

The expected length of an answer is one of those that ended lately, and never less than what is there.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.engines.local.forecast import ENOUGH_ANSWERS, AnswerLengths, Forecaster, refuse_late
from demo.engines.local.runner import Limits
from demo.engines.local.sequence import Sequence
from demo.engines.local.step_rates import ENOUGH, Rates, StepRates
from demo.engines.local.ttft_prediction import Situation, Times, Work, predict
from demo.errors import BadRequest, Overloaded
from tests.engines.local.test_scheduler import LIMITS, Scene

RATES = Rates(((1, 0.01), (11, 0.02)), step=0.0, token=0.001, beside=0.001)
SITUATION = Situation(RATES, chunk_alone=100, chunk_beside=10, efficient_decodes=8)
KINDS = {"plain": LIMITS, "four rows": Limits(max_prefill_tokens=128, min_prefill_tokens=4, max_num_seqs=4)}


def open_scene(limits: Limits = LIMITS) -> tuple[Scene, Forecaster]:
    """A scheduler that has been at work, and forecasts of it."""
    scene = Scene(limits)
    for prompt in (10, 40, 90, 200) * 4:
        scene.ask(prompt, 12)
        scene.step()
    scene.run()
    for prompt in (10, 30, 60, 100) * 3:
        scene.ask(prompt, 1)
        scene.run()
    scene.now += 300.0
    return scene, Forecaster(scene.scheduler, lambda: list_open(scene), lambda: scene.now)


def list_open(scene: Scene) -> list[Sequence]:
    return [*scene.scheduler.running, *scene.scheduler.waiting]


def follow(scene: Scene, sequences: list[Sequence]) -> tuple[list[float], list[float]]:
    """When each really had its next token, and when it ended, in seconds from now."""
    begin, generated = scene.now, [sequence.output.generated for sequence in sequences]
    firsts, ends = [math.nan] * len(sequences), [math.nan] * len(sequences)
    while scene.step() is not None:
        for at, sequence in enumerate(sequences):
            if math.isnan(firsts[at]) and sequence.output.generated > generated[at]:
                firsts[at] = scene.now - begin
            if math.isnan(ends[at]) and sequence.output.ended:
                ends[at] = scene.now - begin
    return firsts, ends


def list_errors(predicted: list[float], real: list[float]) -> Iterator[float]:
    """Each prediction's error, as a share of the real time, which is at least a tenth of a second."""
    for one, other in zip(predicted, real, strict=True):
        yield abs(one - other) / max(other, 0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_first_tokens_and_ends_come_when_they_are_predicted(kind: str) -> None:
    first_errors, end_errors = list[float](), list[float]()
    for seed in range(4):
        dice = random.Random(seed)
        scene, forecaster = open_scene(KINDS[kind])
        for _ in range(6):
            scene.ask(dice.randint(5, 60), dice.randint(60, 200), f"before {dice.randint(1, 3)}")
        for _ in range(30):
            scene.step()
        sequences = list_open(scene)
        sequences += [
            scene.ask(dice.randint(5, 400), dice.randint(20, 150), str(dice.randint(1, 6))) for _ in range(12)
        ]
        times = forecaster.predict(sequences)
        assert times is not None
        firsts, ends = follow(scene, sequences)
        unread = [at for at, first in enumerate(firsts) if not math.isnan(first) and at >= 6]
        first_errors += list_errors([times[at].first for at in unread], [firsts[at] for at in unread])
        end_errors += list_errors([each.end for each in times], ends)
    for errors in (sorted(first_errors), sorted(end_errors)):
        assert errors[len(errors) // 2] < 0.2
        assert errors[len(errors) * 3 // 4] < 0.3


def test_a_newcomers_first_token_is_predicted_before_it_is_admitted() -> None:
    scene, forecaster = open_scene()
    for number in range(8):
        scene.ask(300, 50, f"{number}")
    new = Scene().ask(30, 5, "new")
    predicted, alone = forecaster.find_ttft([new]), forecaster.find_ttft([new], alone=True)
    assert predicted is not None
    assert alone is not None
    admitted = scene.ask(30, 5, "new")
    firsts, _ = follow(scene, [admitted])
    assert predicted == pytest.approx(firsts[0], rel=0.5, abs=0.05)
    assert alone < predicted


def test_nothing_is_predicted_before_enough_steps_have_been_seen() -> None:
    scene = Scene()
    forecaster = Forecaster(scene.scheduler, lambda: list_open(scene), lambda: scene.now)
    sequence = scene.ask(20, 5)
    assert forecaster.predict([sequence]) is None
    assert forecaster.find_ttft([sequence]) is None
    assert forecaster.find_remaining(sequence) is None


@pytest.mark.parametrize("delay", [0.0, 2.0])
def test_a_prompt_alone_takes_its_tokens_and_an_answer_its_steps_from_when_it_is_asked_for(delay: float) -> None:
    (times,) = predict([Work("a", 0.0, missing=100, tokens=11, length=100, runs=False, delay=delay)], SITUATION)
    assert (times.first, times.end) == pytest.approx((delay + 0.1, delay + 0.2))


def test_whoever_has_been_served_the_most_waits() -> None:
    works = [Work(name, 0.0, missing=50, tokens=1, length=50, runs=False) for name in ("greedy", "other")]
    served = Situation(RATES, 100, 10, 8, service={"greedy": 500.0, "other": 0.0})
    greedy, other = predict(works, served)
    assert (other.order, greedy.order) == (0, 1)
    assert (other.first, greedy.first) == pytest.approx((0.05, 0.1))


def test_a_request_waits_for_a_row() -> None:
    running = Work("a", 0.0, missing=0, tokens=100, length=10, runs=True)
    waiting = Work("b", 1.0, missing=10, tokens=1, length=10, runs=False)
    (first, second) = predict([running, waiting], Situation(RATES, 100, 10, 8, max_num_seqs=1))
    assert first.end == pytest.approx(1.0)
    assert second.first == pytest.approx(1.01)


def test_a_client_that_always_asks_again_keeps_its_part_of_the_steps() -> None:
    mine = Work("a", 0.0, missing=0, tokens=100, length=10, runs=True)
    other = Work("b", 0.0, missing=0, tokens=10, length=10, runs=True)
    again = Work("b", 0.0, missing=1, tokens=10, length=10, runs=False)
    returning = Work("b", 0.0, missing=0, tokens=10, length=10, runs=True, again=again)
    assert predict([mine, other], SITUATION)[0].end < predict([mine, returning], SITUATION)[0].end < 2.0


def test_between_its_answers_such_a_client_pauses() -> None:
    mine = Work("a", 0.0, missing=0, tokens=100, length=10, runs=True)
    again = Work("b", 0.0, missing=1, tokens=10, length=10, runs=False, delay=0.5)
    hurried = replace(again, delay=0.0)
    ends = [predict([mine, replace(first, again=again)], SITUATION)[0].end for first in (again, hurried)]
    assert 1.0 < ends[0] < predict([mine, replace(hurried, again=hurried)], SITUATION)[0].end


def test_a_client_that_was_just_answered_is_expected_again() -> None:
    scene, forecaster = open_scene()
    mine = scene.ask(20, 200, "mine")
    for _ in range(3):
        loop = scene.ask(60, 60, "loop")
        forecaster.note_request(loop)
        while not loop.output.ended:
            scene.step()
        forecaster.note_end(loop)
        scene.now += 0.1
    with_loop, alone = (forecaster.predict([mine], alone) for alone in (False, True))
    assert with_loop is not None
    assert alone is not None
    assert with_loop[0].end > 1.05 * alone[0].end


def test_a_pace_lengthens_an_answer() -> None:
    assert predict([Work("a", 0.0, 0, 20, 10, True, pace=10.0)], SITUATION)[0].end == pytest.approx(2.0)


def test_a_prediction_ends_whatever_it_is_asked() -> None:
    again = Work("a", 0.0, missing=10**6, tokens=1, length=1, runs=False)
    works = [Work("a", float(at), 10**6, 10**9, 1, False, 0.001, again=again) for at in range(20)]
    assert all(isinstance(times, Times) for times in predict(works, SITUATION))


def test_rates_follow_recent_steps_and_pass_over_an_outlier() -> None:
    rates = StepRates()
    for _ in range(50):
        rates.note(1, 0, 0.010)
        rates.note(0, 100, 0.050)
        rates.note(0, 10, 0.006)
        rates.note(1, 10, 0.016)
    rates.note(1, 0, 5.0)
    found = rates.read()
    assert found is not None
    assert found.find_decode_seconds(1) < 0.02
    assert (found.token, found.beside) == pytest.approx((0.044 / 90, 0.0006), rel=0.02)
    assert found.step + 10 * found.token == pytest.approx(0.006)


def test_rates_of_other_numbers_of_rows_lie_between() -> None:
    seconds = [RATES.find_decode_seconds(rows) for rows in (0.5, 1, 6, 11, 21)]
    assert seconds == pytest.approx([0.005, 0.01, 0.015, 0.02, 0.03])


def test_few_steps_are_too_few() -> None:
    rates = StepRates()
    rates.note(1, 0, 0.01)
    for _ in range(ENOUGH - 1):
        rates.note(0, 10, 0.01)
    assert rates.read() is None


def test_without_any_answer_that_ended_the_longest_is_expected() -> None:
    assert AnswerLengths().expect("a", 0, 100, 0.5) == 100


def test_of_many_answers_some_are_expected_to_be_short_and_some_long() -> None:
    lengths = AnswerLengths()
    for tokens in range(10, 110, 10):
        lengths.note("a", tokens, was_cut=False)
    expected = sorted(lengths.expect("a", 0, 1000, lengths.take_rank()) for _ in range(100))
    assert (expected[0], expected[-1]) == (10, 100)
    assert 40 <= expected[50] <= 70


def test_an_answer_that_was_cut_would_have_gone_on_to_any_limit() -> None:
    lengths = AnswerLengths()
    lengths.note("a", 20, was_cut=True)
    assert lengths.expect("a", 0, 300, 0.5) == 300


def test_a_clients_own_answers_count_where_they_are_enough() -> None:
    lengths = AnswerLengths()
    for _ in range(ENOUGH_ANSWERS):
        lengths.note("short", 5, was_cut=False)
        lengths.note("long", 50, was_cut=False)
    assert lengths.expect("short", 0, 100, 0.9) == 5
    assert lengths.expect("new", 0, 100, 0.9) == 50


@given(st.lists(st.integers(1, 100)), st.integers(0, 99), st.floats(0, 0.999))
def test_it_is_more_than_what_is_there_and_at_most_the_limit(ended: list[int], generated: int, rank: float) -> None:
    lengths = AnswerLengths()
    for tokens in ended:
        lengths.note("a", tokens, was_cut=False)
    assert generated < lengths.expect("a", generated, 100, rank) <= 100


def test_a_prediction_beyond_the_bound_is_overloaded_for_as_long_as_it_is_beyond() -> None:
    with pytest.raises(Overloaded, match=r"come in about 3.2 s, and 1 s are allowed .*in about 2.2 s") as refusal:
        refuse_late(3.2, 0.1, 1.0, 50)
    assert refusal.value.retry_after == pytest.approx(2.2)


def test_a_prompt_that_takes_too_long_even_alone_is_invalid() -> None:
    with pytest.raises(BadRequest, match=r"Reading the prompt's 5000 tokens takes about 2.5 s here"):
        refuse_late(3.0, 2.5, 1.0, 5000)


def test_an_idle_engine_refuses_nothing_for_a_prediction_that_may_be_wrong() -> None:
    refuse_late(1.5, 1.5, 1.0, 5000)
