"""The engine: right answers alone and among others, always one final event, and no reader delays another."""

import re
import threading
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.engine import Broken, Loading
from demo.engines.local.engine import LocalEngine
from demo.engines.local.model import Model
from demo.errors import ModelError, NotReady
from demo.events import Done, Event, Failed, Started, Token
from demo.request import Request, Sampling
from demo.run import Run
from tests.engines.local.answers import ask, count_tokens, generate, naive_ids, read
from tests.engines.local.conftest import OpenWorker, Paused, opened, wait_until_loaded
from tests.engines.local.tiny import ARCHITECTURES, KINDS, VOCABULARY, make_kind, make_model, make_network
from tests.engines.local.watched import UnfreeableRunner, watch

LONG = "a long prompt that is read in several chunks while others go on; " * 3
PROMPTS = ["a", "hello there", LONG, "日本語"]
GREEDY = Sampling()
RANDOM = Sampling(do_sample=True, temperature=1.3, top_k=50, seed=7)
PENALISED = Sampling(do_sample=True, repetition_penalty=1.3, presence_penalty=0.5, frequency_penalty=0.2, seed=9)


def request(prompt: str = "hello", tokens: int = 12, sampling: Sampling | None = None, stop: str = "") -> Request:
    return Request(prompt, tokens, sampling or Sampling(), (stop,) if stop else (), ignore_eos=True)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_every_length_and_sampling_equal_a_naive_loop(kind: str, open_worker: OpenWorker) -> None:
    network = make_network("llama" if kind == "captured" else kind)
    model = make_kind(kind, network)
    # The fifth differs from the fourth in its seed alone, the last from the third in its penalties.
    samplings = [GREEDY, RANDOM, PENALISED, RANDOM, replace(RANDOM, seed=8), replace(PENALISED, presence_penalty=-1.5)]
    prompts = [*PROMPTS, PROMPTS[3], PROMPTS[2]]
    requests = [request(*each) for each in zip(prompts, (8, 11, 14, 17, 17, 14), samplings, strict=True)]
    answers = ask(open_worker(model), *requests)
    for each, answer in zip(requests, answers, strict=True):
        assert answer.ids == naive_ids(network, model.encode(each.prompt), each, seed=each.sampling.seed or 0)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_greedy_equals_generate(architecture: str, open_worker: OpenWorker) -> None:
    network = make_network(architecture)
    model = make_model(network)
    (answer,) = ask(open_worker(model), Request(LONG, 20))
    assert answer.ids == generate(network, torch.tensor([model.encode(LONG)]), 20)


schedules = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 12), st.booleans()), min_size=1, max_size=8)


@settings(max_examples=6)
@given(schedules)
def test_rows_that_join_and_leave_in_any_order_never_change_each_other(schedule: list[tuple[int, int, bool]]) -> None:
    requests = [request("x" * size, tokens, RANDOM if drawn else None) for size, tokens, drawn in schedule]
    with opened() as engine:
        together = [answer.ids for answer in ask(engine, *requests)]
        assert together == [ask(engine, each)[0].ids for each in requests]


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


def test_eos_ends_counts_as_a_token_and_shows_no_text(open_worker: OpenWorker) -> None:
    network = make_network()
    first = naive_ids(network, make_model(network).encode("hello"), request(tokens=3))
    network.generation_config.eos_token_id = [first[2]]
    (answer,) = ask(open_worker(make_model(network)), Request("hello", 3))
    assert answer.ids == first
    assert (answer.done.finish_reason, answer.done.generated_tokens) == ("eos_token", 3)
    assert len(answer.text) <= 2


def test_text_is_what_the_tokenizer_decodes(open_worker: OpenWorker) -> None:
    model = make_model()
    (answer,) = ask(open_worker(model), request(tokens=60, sampling=RANDOM))
    assert answer.text == model.vocabulary.decode(answer.ids)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_stop_string_of_any_length_ends_the_text_before_it(length: int, open_worker: OpenWorker) -> None:
    engine = open_worker()
    (plain,) = ask(engine, request(tokens=60, sampling=RANDOM))
    texts = (plain.text[at : at + length] for at in range(10, 50))
    stop = next(text for text in texts if "\ufffd" not in text)
    (answer,) = ask(engine, request(tokens=60, sampling=RANDOM, stop=stop))
    assert answer.text == plain.text[: plain.text.index(stop)]
    assert answer.done.finish_reason == "stop_sequence"
    assert answer.done.generated_tokens == len(answer.tokens) < 60


@pytest.mark.parametrize("tokens", [1, 2, 9])
def test_an_answer_has_exactly_as_many_tokens_as_are_asked_for(tokens: int, paused: Paused) -> None:
    engine, runner = paused
    runner.permits.release(100)
    (answer,) = ask(engine, request(tokens=tokens))
    assert len(answer.tokens) == answer.done.generated_tokens == tokens
    assert runner.decode_steps == tokens - 1


def test_top_tokens_hold_the_chosen_one_first_when_greedy(open_worker: OpenWorker) -> None:
    (answer,) = ask(open_worker(), Request("hello", 4, top_n_tokens=3, ignore_eos=True))
    for token in answer.tokens:
        assert len(token.top) == 3
        assert (token.top[0].id, token.top[0].logprob) == (token.id, token.logprob)
        assert [each.logprob for each in token.top] == sorted((c.logprob or 0.0 for c in token.top), reverse=True)


def test_at_most_one_more_token_is_computed_once_no_reader_is_left(paused: Paused) -> None:
    engine, runner = paused
    run = Run(engine, request(tokens=100))
    streamed, whole = run.attach(), run.attach()
    runner.start(3)
    streamed.close()
    runner.let(2)
    before, steps = count_tokens(run), runner.decode_steps
    whole.close()
    runner.permits.release(200)
    answer = read(run)
    assert answer.done.finish_reason == "cancelled"
    assert runner.decode_steps <= steps + 1
    assert before <= len(answer.tokens) <= before + 1
    assert answer.done.generated_tokens == len(answer.tokens)


def test_a_request_cancelled_in_the_queue_is_never_started(paused: Paused) -> None:
    engine, runner = paused
    first = Run(engine, request(tokens=4))
    runner.start()
    waiting = Run(engine, request())
    waiting.cancel()
    runner.permits.release(3)
    assert read(waiting).events == (waiting.events[-1],)
    assert read(waiting).done.finish_reason == "cancelled"
    assert read(first).done.finish_reason == "length"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("the kernel broke"), "^Request failed during generation: the kernel broke"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried 2 GiB"), r"out of memory\. Ask for a shorter answer"),
    ],
    ids=["error", "out of memory"],
)
def test_a_step_that_raises_fails_its_requests_and_the_next_one_works(
    error: Exception, said: str, paused: Paused, caplog: pytest.LogCaptureFixture
) -> None:
    engine, runner = paused
    runs = [Run(engine, request(tokens=50)) for _ in range(3)]
    runner.start(4)
    runner.error = error
    runner.permits.release(100)
    for run in runs:
        assert re.search(said, str(read(run).failed.error))
    assert "Traceback" in caplog.text
    (answer,) = ask(engine, request(tokens=5))
    assert len(answer.ids) == 5


def test_a_row_whose_token_cannot_be_sampled_fails_alone(paused: Paused) -> None:
    engine, runner = paused
    runs = [Run(engine, request(prompt, 30)) for prompt in ("hello", "there")]
    runner.start(3)
    runner.spoiled = 1
    runner.permits.release(200)
    answers = [read(run) for run in runs]
    assert [type(answer.events[-1]) for answer in answers] == [Done, Failed]
    assert len(answers[0].ids) == 30


def test_fifty_runs_at_once_all_get_all_their_tokens(open_worker: OpenWorker) -> None:
    engine = open_worker(limit=50)
    requests = [request("x" * (1 + index), 5 + index % 7, RANDOM if index % 2 else None) for index in range(50)]
    answers = ask(engine, *requests)
    assert [len(answer.ids) for answer in answers] == [each.max_new_tokens for each in requests]


def test_a_reader_that_never_reads_delays_no_other(open_worker: OpenWorker) -> None:
    engine = open_worker()
    lazy = Run(engine, request(tokens=30))
    idle = lazy.attach()
    assert len(ask(engine, request(tokens=30))[0].ids) == 30
    assert len(read(lazy).ids) == 30
    assert sum(len(batch) for batch in idle) == len(lazy.events)


def test_close_ends_every_run_with_a_final_event(paused: Paused) -> None:
    engine, runner = paused
    runs = [Run(engine, request(tokens=100)) for _ in range(5)]
    runner.start()
    closing = threading.Thread(target=engine.close)
    closing.start()
    runner.permits.release(100)
    for run in runs:
        assert "shutting down" in str(read(run).failed.error)
    closing.join()
    with pytest.raises(NotReady, match="shutting down"):
        Run(engine, request())


def test_close_does_not_wait_for_a_step_that_hangs_and_nothing_follows_its_final_event(
    paused: Paused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("demo.engines.local.engine.CLOSING_SECONDS", 0.01)
    engine, runner = paused
    run = Run(engine, request(tokens=100))
    runner.start()
    engine.close()
    assert "shutting down" in str(read(run).failed.error)
    runner.permits.release(100)
    engine._thread.join(30)
    assert isinstance(run.events[-1], Failed)
    assert sum(isinstance(event, Done | Failed) for event in run.events) == 1


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


def test_an_id_outside_the_tokenizer_is_a_token_without_text() -> None:
    decode = make_model().vocabulary.decode
    assert decode([VOCABULARY - 1, 3]) == decode([3])


def test_an_engine_that_breaks_leaves_no_reader_hanging(open_worker: OpenWorker) -> None:
    engine = open_worker(watch(make_model(), UnfreeableRunner)[0])
    runs = Run.start_all(engine, [request(tokens=3), request(tokens=50)])
    final: list[Event] = [read(run).events[-1] for run in runs]
    assert isinstance(final[0], Done)
    assert isinstance(final[1], Failed)
    engine._thread.join(30)
    assert isinstance(engine.status, Broken)


def test_the_final_event_is_read_together_with_the_last_token(open_worker: OpenWorker) -> None:
    run = Run(open_worker(), request(tokens=9))
    *_, last = run.attach()
    assert [type(event) for event in last][-2:] == [Token, Done]
