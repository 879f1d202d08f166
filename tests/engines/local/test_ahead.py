"""Steps that are launched before the last one is read: the same tokens, and no more of them."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.engines.local.sampler import SamplerOutput
from demo.request import Sampling
from demo.run import Run
from tests.engines.local.answers import ask, count_tokens, read
from tests.engines.local.conftest import OpenWorker, Paused, opened
from tests.engines.local.test_engine import GREEDY, PENALISED, RANDOM, request
from tests.engines.local.tiny import make_captured, make_network

captured = pytest.mark.parametrize("paused", ["captured"], indirect=True)
samplings = st.sampled_from([GREEDY, RANDOM, PENALISED])


@settings(max_examples=5)
@given(st.lists(st.tuples(st.integers(1, 60), st.integers(1, 12), samplings), min_size=1, max_size=8))
def test_tokens_are_the_same_as_without_looking_ahead(schedule: list[tuple[int, int, Sampling]]) -> None:
    model = make_captured(make_network(), rows=3)
    requests = [request("x" * size, tokens, sampling) for size, tokens, sampling in schedule]
    answers = []
    for looks_ahead in (False, True):
        model.runner.limits = replace(model.runner.limits, looks_ahead=looks_ahead)
        with opened(model) as engine:
            answers.append([answer.ids for answer in ask(engine, *requests)])
    assert answers[0] == answers[1]


@captured
def test_a_step_is_launched_before_the_last_one_is_read(paused: Paused) -> None:
    engine, runner = paused
    run = Run(engine, request("hello", 100))
    runner.start(5)
    assert count_tokens(run) == 1 + 4
    runner.permits.release(200)
    assert len(read(run).ids) == 100
    assert runner.followed == 99


@captured
def test_a_request_cancelled_during_a_step_is_not_in_the_next(paused: Paused, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, runner = paused
    run = Run(engine, request("hello", 100))
    runner.start(5)
    wait = SamplerOutput.wait

    def cancel_then_wait(output: SamplerOutput) -> None:
        run.cancel()
        wait(output)

    monkeypatch.setattr(SamplerOutput, "wait", cancel_then_wait)
    runner.permits.release(200)
    assert read(run).done.finish_reason == "cancelled"
    assert runner.decode_steps == 6


@captured
def test_a_prompt_waits_for_the_step_in_flight_only(paused: Paused) -> None:
    engine, runner = paused
    first = Run(engine, request("hello", 100))
    runner.start(5)
    second = Run(engine, request("there", 3))
    runner.let(3)  # the step in flight, the one with the prompt, and the one that is launched before that is read
    assert count_tokens(second) == 1
    runner.permits.release(200)
    assert [len(read(run).ids) for run in (first, second)] == [100, 3]


def test_more_requests_than_rows_are_all_answered(open_worker: OpenWorker) -> None:
    requests = [request("x" * (1 + index), 4 + index) for index in range(6)]
    answers = ask(open_worker(make_captured(make_network(), rows=2)), *requests)
    assert [len(answer.ids) for answer in answers] == [4 + index for index in range(6)]
