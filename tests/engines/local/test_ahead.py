"""Steps that are launched before the last one is read: the same tokens, and no more of them than without."""

import threading
from collections.abc import Callable, Sequence
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import PreTrainedModel

from demo.engines.local.batch import Batch
from demo.engines.local.decode import Decoder
from demo.engines.local.engine import LocalEngine
from demo.engines.local.model import Model
from demo.engines.local.runners.transformers.cuda_graphs.loading import Plan, capture
from demo.engines.local.runners.transformers.cuda_graphs.runner import CapturedBatch
from demo.events import Failed, Request, Sampling, Token
from demo.run import Run
from tests.engines.local.answers import ask, naive_ids, read
from tests.engines.local.conftest import OpenWorker, wait_until_loaded
from tests.engines.local.tiny import make_model, make_network

PROMPTS = ["a", "hello there", "a long prompt that takes a while; " * 6, "日本語"]
GREEDY = Sampling()
RANDOM = Sampling(do_sample=True, temperature=1.3, top_k=50, seed=7)
PENALISED = Sampling(do_sample=True, repetition_penalty=1.3, presence_penalty=0.5, frequency_penalty=0.2, seed=7)


def plan_batch(network: PreTrainedModel, rows: int = 64) -> Callable[[], Batch]:
    return capture(network, Plan(rows, 512, (1, 2, 4, 8, 16, 32, 64)), lambda loading: None)


def make_ahead(network: PreTrainedModel, decoder: Decoder) -> Model:
    model = make_model(network)
    return Model(model.tokenizer, model.card, model.vocabulary, decoder)


def request(prompt: str, tokens: int, sampling: Sampling = GREEDY) -> Request:
    return Request(prompt, tokens, sampling, ignore_eos=True)


@pytest.mark.parametrize("sampling", [GREEDY, RANDOM, PENALISED], ids=["greedy", "seeded", "penalised"])
def test_the_engine_equals_a_naive_loop_for_rows_of_every_length(sampling: Sampling, open_worker: OpenWorker) -> None:
    network = make_network()
    model = make_ahead(network, Decoder(plan_batch(network), looks_ahead=True))
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
        model = make_ahead(network, Decoder(plan_batch(network, rows=3), looks_ahead))
        engine = LocalEngine(partial(lambda model, report: model, model), 64)
        wait_until_loaded(engine)
        answers.append([answer.ids for answer in ask(engine, *requests)])
        engine.close()
    assert answers[0] == answers[1]


class CountingBatch(CapturedBatch):
    """The real batch, which counts its steps and may be told to stop before one, to break, or to give no number."""

    def __init__(self, batch: CapturedBatch) -> None:
        super().__init__(batch._reader, batch._step)
        self.steps = 0
        self.followed = 0
        self.breaks_at = self.spoils_at = -1
        self.arrived = threading.Semaphore(0)
        self.permits = threading.Semaphore(0)

    def step(self, ids: Sequence[int]) -> Tensor:
        return self._count(lambda: super(CountingBatch, self).step(ids))

    def follow(self, ids: Tensor) -> Tensor:
        self.followed += 1
        return self._count(lambda: super(CountingBatch, self).follow(ids))

    def _count(self, step: Callable[[], Tensor]) -> Tensor:
        self.arrived.release()
        assert self.permits.acquire(timeout=30)
        self.steps += 1
        if self.steps == self.breaks_at:
            raise torch.OutOfMemoryError("CUDA out of memory")
        logits = step()
        if self.steps == self.spoils_at:
            logits = logits.index_fill(0, torch.tensor([0]), torch.nan)
        return logits

    def let(self, steps: int) -> None:
        """Let `steps` more steps happen, and wait until the engine stands before the next."""
        for _ in range(steps):
            self.permits.release()
            assert self.arrived.acquire(timeout=30)


@pytest.fixture
def counted(open_worker: OpenWorker) -> tuple[LocalEngine, CountingBatch]:
    network = make_network()
    made = plan_batch(network)()
    assert isinstance(made, CapturedBatch)
    with torch.inference_mode():
        batches = [CountingBatch(made) for _ in range(2)]
    batches[1].permits.release(1000)
    left = iter(batches)
    decoder = Decoder(lambda: next(left), looks_ahead=True)
    return open_worker(make_ahead(network, decoder)), batches[0]


def count_tokens(run: Run) -> int:
    return sum(isinstance(event, Token) for event in run.events)


def test_a_step_is_launched_before_the_last_one_is_read(counted: tuple[LocalEngine, CountingBatch]) -> None:
    engine, batch = counted
    run = Run(engine, request("hello", 100))
    assert batch.arrived.acquire(timeout=30)
    batch.let(5)
    assert count_tokens(run) == 1 + 4
    batch.permits.release(200)
    assert len(read(run).ids) == 100
    assert batch.followed == 99


def test_at_most_one_more_token_is_computed_once_no_reader_is_left(counted: tuple[LocalEngine, CountingBatch]) -> None:
    engine, batch = counted
    run = Run(engine, request("hello", 100))
    reader = run.attach()
    assert batch.arrived.acquire(timeout=30)
    batch.let(5)
    steps, tokens = batch.steps, count_tokens(run)
    reader.close()
    batch.permits.release(200)
    answer = read(run)
    assert answer.done.finish_reason == "cancelled"
    assert batch.steps <= steps + 1
    assert len(answer.tokens) <= tokens + 1


def test_who_cancels_while_a_step_runs_is_not_in_the_next(counted: tuple[LocalEngine, CountingBatch]) -> None:
    engine, batch = counted
    run = Run(engine, request("hello", 100))
    assert batch.arrived.acquire(timeout=30)
    batch.let(5)
    model = engine._model
    assert model is not None
    wait = model.decoder.wait

    def cancel_then_wait() -> None:
        run.cancel()
        wait()

    object.__setattr__(model.decoder, "wait", cancel_then_wait)
    batch.permits.release(200)
    assert read(run).done.finish_reason == "cancelled"
    assert batch.steps == 6


def test_a_prompt_waits_for_no_more_than_the_step_under_way(counted: tuple[LocalEngine, CountingBatch]) -> None:
    engine, batch = counted
    first = Run(engine, request("hello", 100))
    assert batch.arrived.acquire(timeout=30)
    batch.let(5)
    second = Run(engine, request("there", 3))
    batch.let(2)
    assert count_tokens(second) == 1
    batch.permits.release(200)
    assert [len(read(run).ids) for run in (first, second)] == [100, 3]


def test_a_step_that_breaks_fails_its_requests_and_the_next_one_works(
    counted: tuple[LocalEngine, CountingBatch],
) -> None:
    engine, batch = counted
    batch.breaks_at = 4
    batch.permits.release(200)
    answer = read(Run(engine, request("hello", 50)))
    assert "out of memory. Ask for a shorter answer" in str(answer.failed.error)
    (answer,) = ask(engine, request("hello", 50))
    assert len(answer.ids) == 50


def test_a_row_that_is_no_number_fails_alone(counted: tuple[LocalEngine, CountingBatch]) -> None:
    engine, batch = counted
    runs = [Run(engine, request(prompt, 30)) for prompt in ("hello", "there")]
    assert batch.arrived.acquire(timeout=30)
    batch.let(3)
    batch.spoils_at = batch.steps + 2
    batch.permits.release(200)
    answers = [read(run) for run in runs]
    assert isinstance(answers[0].events[-1], Failed)
    assert len(answers[1].ids) == 30


def test_more_requests_than_rows_take_turns(open_worker: OpenWorker) -> None:
    network = make_network()
    model = make_ahead(network, Decoder(plan_batch(network, rows=2), looks_ahead=True))
    requests = [request("x" * (1 + index), 4 + index) for index in range(6)]
    answers = ask(open_worker(model), *requests)
    assert [len(answer.ids) for answer in answers] == [4 + index for index in range(6)]
