"""Steps that are launched before the last one is read: the same tokens, and no more of them than without."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedModel

from demo.engines.local.engine import LocalEngine
from demo.engines.local.model import Model
from demo.engines.local.runner import Runner
from demo.engines.local.runners.transformers.cuda_graphs.loading import Plan, capture
from demo.engines.local.runners.transformers.cuda_graphs.sampling import SlotSamplerOutput
from demo.events import Failed, Request, Sampling
from demo.run import Run
from tests.engines.local.answers import ask, count_tokens, naive_ids, read
from tests.engines.local.conftest import OpenWorker, wait_until_loaded
from tests.engines.local.tiny import make_model, make_network
from tests.engines.local.watched import PausingRunner

PROMPTS = ["a", "hello there", "a long prompt that takes a while; " * 6, "日本語"]
GREEDY = Sampling()
RANDOM = Sampling(do_sample=True, temperature=1.3, top_k=50, seed=7)
PENALISED = Sampling(do_sample=True, repetition_penalty=1.3, presence_penalty=0.5, frequency_penalty=0.2, seed=7)


def capture_runner(network: PreTrainedModel, rows: int = 64) -> Runner:
    return capture(network, Plan(rows, 512, (1, 2, 4, 8, 16, 32, 64)), lambda loading: None)


def make_captured(network: PreTrainedModel, rows: int = 64) -> Model:
    return replace(make_model(network), runner=capture_runner(network, rows))


def request(prompt: str, tokens: int, sampling: Sampling = GREEDY) -> Request:
    return Request(prompt, tokens, sampling, ignore_eos=True)


@pytest.mark.parametrize("sampling", [GREEDY, RANDOM, PENALISED], ids=["greedy", "seeded", "penalised"])
def test_the_engine_equals_a_naive_loop_for_rows_of_every_length(sampling: Sampling, open_worker: OpenWorker) -> None:
    network = make_network()
    model = make_captured(network)
    requests = [request(prompt, 8 + 3 * index, sampling) for index, prompt in enumerate(PROMPTS)]
    answers = ask(open_worker(model), *requests)
    for each, answer in zip(requests, answers, strict=True):
        assert answer.ids == naive_ids(network, model.encode(each.prompt), each, seed=7)


samplings = st.sampled_from([GREEDY, RANDOM, PENALISED])
schedules = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 12), samplings), min_size=1, max_size=8)


@settings(max_examples=10)
@given(schedules)
def test_tokens_are_the_same_as_without(schedule: list[tuple[int, int, Sampling]]) -> None:
    network = make_network()
    requests = [request("x" * size, tokens, sampling) for size, tokens, sampling in schedule]
    answers = []
    for looks_ahead in (False, True):
        model = make_captured(network, rows=3)
        model.runner.limits = replace(model.runner.limits, looks_ahead=looks_ahead)
        engine = LocalEngine(partial(lambda model, report: model, model), 64)
        wait_until_loaded(engine)
        answers.append([answer.ids for answer in ask(engine, *requests)])
        engine.close()
    assert answers[0] == answers[1]


@pytest.fixture
def paused(open_worker: OpenWorker) -> tuple[LocalEngine, PausingRunner]:
    model = make_captured(make_network())
    runner = PausingRunner(model.runner)
    return open_worker(replace(model, runner=runner)), runner


def test_a_step_is_launched_before_the_last_one_is_read(paused: tuple[LocalEngine, PausingRunner]) -> None:
    engine, runner = paused
    run = Run(engine, request("hello", 100))
    assert runner.arrived.acquire(timeout=30)
    runner.let(5)
    assert count_tokens(run) == 1 + 4
    runner.permits.release(200)
    assert len(read(run).ids) == 100
    assert runner.followed == 99


def test_at_most_one_more_token_is_computed_once_no_reader_is_left(paused: tuple[LocalEngine, PausingRunner]) -> None:
    engine, runner = paused
    run = Run(engine, request("hello", 100))
    reader = run.attach()
    assert runner.arrived.acquire(timeout=30)
    runner.let(5)
    steps, tokens = runner.decode_steps, count_tokens(run)
    reader.close()
    runner.permits.release(200)
    answer = read(run)
    assert answer.done.finish_reason == "cancelled"
    assert runner.decode_steps <= steps + 1
    assert len(answer.tokens) <= tokens + 1


def test_who_cancels_while_a_step_runs_is_not_in_the_next(
    paused: tuple[LocalEngine, PausingRunner], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, runner = paused
    run = Run(engine, request("hello", 100))
    assert runner.arrived.acquire(timeout=30)
    runner.let(5)
    wait = SlotSamplerOutput.wait

    def cancel_then_wait(output: SlotSamplerOutput) -> None:
        run.cancel()
        wait(output)

    monkeypatch.setattr(SlotSamplerOutput, "wait", cancel_then_wait)
    runner.permits.release(200)
    assert read(run).done.finish_reason == "cancelled"
    assert runner.decode_steps == 6


def test_a_prompt_waits_for_no_more_than_the_step_under_way(paused: tuple[LocalEngine, PausingRunner]) -> None:
    engine, runner = paused
    first = Run(engine, request("hello", 100))
    assert runner.arrived.acquire(timeout=30)
    runner.let(5)
    second = Run(engine, request("there", 3))
    runner.let(3)  # the step under way, the one with the prompt, and the one launched before that is read
    assert count_tokens(second) == 1
    runner.permits.release(200)
    assert [len(read(run).ids) for run in (first, second)] == [100, 3]


def test_a_step_that_breaks_fails_its_requests_and_the_next_one_works(
    paused: tuple[LocalEngine, PausingRunner],
) -> None:
    engine, runner = paused
    run = Run(engine, request("hello", 50))
    assert runner.arrived.acquire(timeout=30)
    runner.let(3)
    runner.error = torch.OutOfMemoryError("CUDA out of memory")
    runner.permits.release(200)
    answer = read(run)
    assert "out of memory. Ask for a shorter answer" in str(answer.failed.error)
    (answer,) = ask(engine, request("hello", 50))
    assert len(answer.ids) == 50


def test_a_row_that_is_no_number_fails_alone(paused: tuple[LocalEngine, PausingRunner]) -> None:
    engine, runner = paused
    runs = [Run(engine, request(prompt, 30)) for prompt in ("hello", "there")]
    assert runner.arrived.acquire(timeout=30)
    runner.let(3)
    runner.spoiled = 1
    runner.permits.release(200)
    answers = [read(run) for run in runs]
    assert isinstance(answers[1].events[-1], Failed)
    assert len(answers[0].ids) == 30


def test_more_requests_than_rows_take_turns(open_worker: OpenWorker) -> None:
    network = make_network()
    model = make_captured(network, rows=2)
    requests = [request("x" * (1 + index), 4 + index) for index in range(6)]
    answers = ask(open_worker(model), *requests)
    assert [len(answer.ids) for answer in answers] == [4 + index for index in range(6)]
