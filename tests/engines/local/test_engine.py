"""The engine's promises: right answers alone and among others, one final event always, and nobody waits for anybody."""

import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.engines.local.engine import LocalEngine
from demo.engines.local.model import Model
from demo.engines.local.runner import Handle
from demo.errors import BadRequest, ModelError, NotReady, Overloaded
from demo.events import Broken, Done, Event, Failed, Loading, Request, Sampling, Started, Token
from demo.run import Run
from demo.settings import Settings
from tests.engines.local.answers import ask, count_tokens, generate, naive_ids, read
from tests.engines.local.conftest import OpenWorker, wait_until_loaded
from tests.engines.local.tiny import ARCHITECTURES, VOCABULARY, make_model, make_network
from tests.engines.local.watched import PausingRunner, WatchedRunner

LONG = "a long prompt that is read in several chunks while others go on; " * 3
PROMPTS = ["a", "hello there", LONG, "日本語"]
RANDOM = Sampling(do_sample=True, temperature=1.3, top_k=50, seed=7)


def request(prompt: str = "hello", tokens: int = 12, sampling: Sampling | None = None, stop: str = "") -> Request:
    return Request(prompt, tokens, sampling or Sampling(), (stop,) if stop else (), ignore_eos=True)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("sampling", [Sampling(), RANDOM], ids=["greedy", "seeded"])
def test_the_engine_equals_a_naive_loop_for_rows_of_every_length(
    architecture: str, sampling: Sampling, open_worker: OpenWorker
) -> None:
    network = make_network(architecture)
    model = make_model(network)
    requests = [request(prompt, 8 + 3 * index, sampling) for index, prompt in enumerate(PROMPTS)]
    answers = ask(open_worker(model), *requests)
    for each, answer in zip(requests, answers, strict=True):
        assert answer.ids == naive_ids(network, model.encode(each.prompt), each, seed=7)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_greedy_equals_generate(architecture: str, open_worker: OpenWorker) -> None:
    network = make_network(architecture)
    model = make_model(network)
    prompt = torch.tensor([model.encode(LONG)])
    expected = generate(network, prompt, 40)
    (answer,) = ask(open_worker(model), Request(LONG, 40))
    assert answer.ids == expected


schedules = st.lists(
    st.tuples(st.integers(1, 60), st.integers(1, 12), st.booleans()),
    min_size=1,
    max_size=8,
)


@settings(max_examples=15)
@given(schedules)
def test_rows_that_join_and_leave_in_any_order_never_change_each_other(
    schedule: list[tuple[int, int, bool]],
) -> None:
    model = make_model()
    engine = LocalEngine(lambda report: model, 64)
    wait_until_loaded(engine)
    requests = [request("x" * size, tokens, RANDOM if drawn else None) for size, tokens, drawn in schedule]
    together = [answer.ids for answer in ask(engine, *requests)]
    alone = [ask(engine, each)[0].ids for each in requests]
    engine.close()
    assert together == alone


def test_events_are_started_then_tokens_in_order_then_one_end(open_worker: OpenWorker) -> None:
    (answer,) = ask(open_worker(), request(tokens=9))
    started, *tokens, _ = answer.events
    assert isinstance(started, Started)
    assert started.input_tokens == 5
    assert [token.index for token in answer.tokens] == list(range(1, 10))
    assert tokens == answer.tokens
    assert (answer.done.finish_reason, answer.done.generated_tokens) == ("length", 9)
    times = [event.time for event in answer.events]
    assert times == sorted(times)


def test_a_seed_that_was_not_given_is_drawn_and_reported(open_worker: OpenWorker) -> None:
    engine = open_worker()
    (first,) = ask(engine, request(tokens=30, sampling=Sampling(do_sample=True)))
    started = first.events[0]
    assert isinstance(started, Started)
    again = request(tokens=30, sampling=Sampling(do_sample=True, seed=started.seed))
    assert ask(engine, again)[0].ids == first.ids


def test_eos_ends_counts_as_a_token_and_shows_no_text() -> None:
    network = make_network()
    first = naive_ids(network, make_model(network).encode("hello"), request(tokens=3))
    network.generation_config.eos_token_id = [first[2]]
    engine = LocalEngine(lambda report: make_model(network), 4)
    wait_until_loaded(engine)
    (answer,) = ask(engine, Request("hello", 3))
    engine.close()
    assert answer.ids == first
    assert (answer.done.finish_reason, answer.done.generated_tokens) == ("eos_token", 3)
    assert len(answer.text) <= 2


def test_text_is_what_the_tokenizer_decodes(open_worker: OpenWorker) -> None:
    model = make_model()
    (answer,) = ask(open_worker(model), request(tokens=60, sampling=RANDOM))
    assert answer.text == model.vocabulary.decode(answer.ids)


def test_a_stop_string_ends_the_text_before_it(open_worker: OpenWorker) -> None:
    engine = open_worker()
    (plain,) = ask(engine, request(tokens=40, sampling=RANDOM))
    stop = next(plain.text[at : at + 2] for at in range(10, 30) if "\ufffd" not in plain.text[at : at + 2])
    (answer,) = ask(engine, request(tokens=40, sampling=RANDOM, stop=stop))
    assert answer.text == plain.text[: plain.text.index(stop)]
    assert answer.done.finish_reason == "stop_sequence"
    assert answer.done.generated_tokens == len(answer.tokens) < 40


def test_top_tokens_hold_the_chosen_one_first_when_greedy(open_worker: OpenWorker) -> None:
    (answer,) = ask(open_worker(), Request("hello", 4, top_n_tokens=3, ignore_eos=True))
    for token in answer.tokens:
        assert len(token.top) == 3
        assert (token.top[0].id, token.top[0].logprob) == (token.id, token.logprob)
        assert [candidate.logprob for candidate in token.top] == sorted((c.logprob for c in token.top), reverse=True)


@pytest.fixture
def paused(open_worker: OpenWorker) -> tuple[LocalEngine, PausingRunner]:
    model = make_model()
    runner = PausingRunner(model.runner)
    return open_worker(replace(model, runner=runner)), runner


def test_at_most_one_more_token_is_computed_once_no_reader_is_left(paused: tuple[LocalEngine, PausingRunner]) -> None:
    engine, runner = paused
    run = Run(engine, request(tokens=100))
    streamed, whole = run.attach(), run.attach()
    assert runner.arrived.acquire(timeout=30)
    runner.let(3)
    streamed.close()
    runner.let(2)
    before = count_tokens(run)
    whole.close()
    runner.permits.release()
    answer = read(run)
    assert answer.done.finish_reason == "cancelled"
    assert before <= len(answer.tokens) <= before + 1
    assert answer.done.generated_tokens == len(answer.tokens)


def test_a_request_cancelled_in_the_queue_is_never_started(paused: tuple[LocalEngine, PausingRunner]) -> None:
    engine, runner = paused
    first = Run(engine, request(tokens=4))
    assert runner.arrived.acquire(timeout=30)
    waiting = Run(engine, request())
    waiting.cancel()
    for _ in range(3):
        runner.permits.release()
    assert read(waiting).events == (waiting.events[-1],)
    assert read(waiting).done.finish_reason == "cancelled"
    assert read(first).done.finish_reason == "length"


def test_a_step_that_raises_fails_its_requests_and_the_next_one_works(
    paused: tuple[LocalEngine, PausingRunner], caplog: pytest.LogCaptureFixture
) -> None:
    engine, runner = paused
    runs = [Run(engine, request(tokens=50)) for _ in range(3)]
    assert runner.arrived.acquire(timeout=30)
    runner.let(4)
    runner.error = RuntimeError("the kernel broke")
    runner.permits.release(100)
    for run in runs:
        assert str(read(run).failed.error).startswith("Request failed during generation: the kernel broke")
    assert "Traceback" in caplog.text
    (answer,) = ask(engine, request(tokens=5))
    assert len(answer.ids) == 5


def test_out_of_memory_is_survived_and_said(paused: tuple[LocalEngine, PausingRunner]) -> None:
    engine, runner = paused
    run = Run(engine, request(tokens=50))
    runner.error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
    runner.permits.release(100)
    assert "out of memory. Ask for a shorter answer" in str(read(run).failed.error)
    assert len(ask(engine, request(tokens=5))[0].ids) == 5


def test_a_row_whose_token_cannot_be_chosen_fails_alone(open_worker: OpenWorker) -> None:
    model = make_model()
    runner = WatchedRunner(model.runner)
    runner.spoiled = 1
    answers = ask(open_worker(replace(model, runner=runner)), *(request(tokens=30) for _ in range(2)))
    assert [type(answer.events[-1]) for answer in answers] == [Done, Failed]
    assert len(answers[0].ids) == 30


def test_the_limit_refuses_at_the_door_and_opens_again(paused: tuple[LocalEngine, PausingRunner]) -> None:
    engine, runner = paused
    engine._limit = 2
    runs = [Run(engine, request(tokens=5)) for _ in range(2)]
    with pytest.raises(Overloaded, match="Model is overloaded: 2 requests"):
        Run(engine, request())
    runner.permits.release(100)
    for run in runs:
        read(run)
    assert len(ask(engine, request(tokens=2))[0].ids) == 2


def test_a_request_that_is_too_long_says_the_numbers(open_worker: OpenWorker) -> None:
    engine = open_worker(make_model(settings=Settings(max_input_tokens=20, max_total_tokens=40)))
    with pytest.raises(BadRequest, match="has 21 tokens, and at most 20"):
        Run(engine, request("x" * 21))
    with pytest.raises(BadRequest, match="20 tokens and 21 new ones are 41 in all, and at most 40"):
        Run(engine, request("x" * 20, tokens=21))
    assert len(ask(engine, request("x" * 20, tokens=20))[0].ids) == 20


def test_fifty_runs_at_once_all_get_all_their_tokens(open_worker: OpenWorker) -> None:
    engine = open_worker(limit=50)
    requests = [request("x" * (1 + index), 5 + index % 7, RANDOM if index % 2 else None) for index in range(50)]
    answers = ask(engine, *requests)
    assert [len(answer.ids) for answer in answers] == [each.max_new_tokens for each in requests]


def test_a_reader_that_never_reads_holds_nobody_up(open_worker: OpenWorker) -> None:
    engine = open_worker()
    lazy = Run(engine, request(tokens=30))
    idle = lazy.attach()
    assert len(ask(engine, request(tokens=30))[0].ids) == 30
    assert len(read(lazy).ids) == 30
    assert sum(len(batch) for batch in idle) == len(lazy.events)


def test_close_ends_every_run_with_a_final_event(paused: tuple[LocalEngine, PausingRunner]) -> None:
    engine, runner = paused
    runs = [Run(engine, request(tokens=100)) for _ in range(5)]
    assert runner.arrived.acquire(timeout=30)
    closing = threading.Thread(target=engine.close)
    closing.start()
    runner.permits.release(100)
    for run in runs:
        assert "shutting down" in str(read(run).failed.error)
    closing.join()
    with pytest.raises(NotReady, match="shutting down"):
        Run(engine, request())


def test_close_does_not_wait_for_a_step_that_hangs(paused: tuple[LocalEngine, PausingRunner]) -> None:
    engine, runner = paused
    run = Run(engine, request(tokens=100))
    assert runner.arrived.acquire(timeout=30)
    engine.close()
    assert "shutting down" in str(read(run).failed.error)
    runner.permits.release(100)


def test_a_model_that_cannot_be_loaded_breaks_the_engine_and_says_why() -> None:
    def load(report: object) -> Model:
        raise ModelError("No such model: give another.")

    broken = threading.Event()
    engine = LocalEngine(load, 4, on_broken=broken.set)
    wait_until_loaded(engine)
    assert broken.wait(30)
    assert isinstance(engine.status, Broken)
    with pytest.raises(NotReady, match="No such model: give another"):
        Run(engine, request())


def test_a_request_is_refused_while_the_model_loads() -> None:
    gate = threading.Event()

    def load(report: object) -> Model:
        gate.wait(30)
        return make_model()

    engine = LocalEngine(load, 4)
    assert isinstance(engine.status, Loading)
    with pytest.raises(NotReady, match="still loading"):
        Run(engine, request())
    gate.set()
    engine.close()


def test_an_id_outside_the_tokenizer_is_a_token_without_text(open_worker: OpenWorker) -> None:
    network = make_network()
    model = make_model(network)
    ids = [VOCABULARY - 1, 3]
    assert model.vocabulary.decode(ids) == model.vocabulary.decode([3])


def test_an_engine_that_breaks_leaves_no_reader_hanging(open_worker: OpenWorker) -> None:
    class Unfreeable(WatchedRunner):
        def free(self, handle: Handle, ids: Sequence[int]) -> None:
            raise RuntimeError("a bug of our own")

    model = make_model()
    engine = open_worker(replace(model, runner=Unfreeable(model.runner)))
    runs = [Run(engine, request(tokens=tokens)) for tokens in (3, 50)]
    final: list[Event] = [read(run).events[-1] for run in runs]
    assert isinstance(final[0], Done)
    assert isinstance(final[1], Failed)
    engine._thread.join(30)
    assert isinstance(engine.status, Broken)


def test_the_end_is_read_together_with_the_token_that_brought_it_about(open_worker: OpenWorker) -> None:
    run = Run(open_worker(), request(tokens=9))
    *_, last = run.attach()
    assert [type(event) for event in last][-2:] == [Token, Done]


def test_nothing_follows_the_end_that_closing_wrote(paused: tuple[LocalEngine, PausingRunner]) -> None:
    engine, runner = paused
    run = Run(engine, request(tokens=100))
    assert runner.arrived.acquire(timeout=30)
    engine.close()
    runner.permits.release(100)
    engine._thread.join(30)
    assert isinstance(run.events[-1], Failed)
    assert sum(isinstance(event, Done | Failed) for event in run.events) == 1
