"""The laws of the ZeroGPU engine, with the platform's decorator as the identity."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import replace

import gradio as gr
import pytest

from demo.engine import Broken
from demo.engines.zerogpu.engine import ZeroGpuEngine
from demo.engines.zerogpu.gpu_run import Call, GpuRequest
from demo.engines.zerogpu.gpu_time import MAX_SECONDS, START_SECONDS, GpuTime
from demo.errors import BadRequest, EngineFailed, Incomplete, ModelError, NotReady, Overloaded
from demo.events import Done, Event, Failed, Started, Token
from demo.request import Request, Sampling
from demo.run import Run
from tests.engines.local.answers import ask, count_tokens, read
from tests.engines.local.conftest import OpenWorker, open_worker
from tests.engines.local.tiny import make_kind
from tests.engines.local.watched import PausingRunner, WatchedRunner
from tests.engines.zerogpu.opened import LIMIT, Calls, open_tiny

__all__ = ["open_worker"]

SEEDED = Request("once", 24, Sampling(do_sample=True, seed=7), ignore_eos=True)
LONG = Request("once", 200, ignore_eos=True)


def list_finals(events: Sequence[Event]) -> list[Event]:
    return [event for event in events if isinstance(event, Done | Failed)]


def pause() -> tuple[ZeroGpuEngine, PausingRunner, Calls]:
    """An engine whose decode steps wait for the test."""
    model, calls = make_kind("llama"), Calls()
    calls.lent.set()
    runner = PausingRunner(model.runner)
    return open_tiny(replace(model, runner=runner), calls.decorate), runner, calls


def wait_for_the_end(engine: ZeroGpuEngine) -> None:
    """Returns when no thread of a run is left."""
    for run in tuple(engine._open):
        run.join(30)


@pytest.mark.parametrize(
    "request_",
    [SEEDED, replace(SEEDED, stop=("e",)), replace(SEEDED, top_n_tokens=3), replace(SEEDED, prompt_logprobs=True)],
)
def test_a_request_gets_the_local_engines_answer(request_: Request, open_worker: OpenWorker) -> None:
    (local,), zerogpu = ask(open_worker(), request_), read(Run(open_tiny(), request_))
    untimed = [[replace(event, time=0.0) for event in answer.events] for answer in (local, zerogpu)]
    assert untimed[0] == untimed[1]
    assert len(local.tokens) > 1


def test_each_event_is_stamped_when_it_happened() -> None:
    before = time.perf_counter()
    times = [event.time for event in read(Run(open_tiny(), SEEDED)).events]
    assert times == sorted(times)
    assert before < times[0]
    assert times[-1] < time.perf_counter()


def test_a_run_is_queued_until_a_gpu_is_lent() -> None:
    calls = Calls()
    engine = open_tiny(decorate=calls.decorate)
    run = Run(engine, SEEDED)
    assert run.events == ()
    assert (engine.load.running, engine.load.waiting) == (0, 1)
    calls.lent.set()
    assert isinstance(read(run).events[0], Started)


def test_stop_ends_a_run_at_once_and_its_worker_within_one_token() -> None:
    engine, runner, calls = pause()
    run = Run(engine, LONG)
    runner.let(0)
    runner.arrived.acquire()
    runner.let(3)
    had = count_tokens(run)
    run.cancel()
    end = run.end
    assert isinstance(end, Done)
    assert (end.finish_reason, end.generated_tokens) == ("cancelled", had)
    runner.permits.release(200)
    wait_for_the_end(engine)
    assert runner.decode_steps <= 5
    assert list_finals(run.events) == [end]
    assert calls.ended == calls.began


def test_a_run_that_nobody_waits_for_never_computes() -> None:
    calls = Calls()
    model = make_kind("llama")
    runner = WatchedRunner(model.runner)
    engine = open_tiny(replace(model, runner=runner), calls.decorate)
    run = Run(engine, LONG)
    run.cancel()
    assert [type(event) for event in run.events] == [Done]
    calls.lent.set()
    wait_for_the_end(engine)
    assert runner.executed == []
    assert engine.load.waiting == 0


def test_two_runs_at_once_get_their_own_answers() -> None:
    alone = [read(Run(open_tiny(), replace(SEEDED, prompt=text))) for text in ("one", "two")]
    engine = open_tiny()
    runs = [Run(engine, replace(SEEDED, prompt=text)) for text in ("one", "two")]
    together = [read(run) for run in runs]
    assert [answer.ids for answer in together] == [answer.ids for answer in alone]


def test_one_run_is_stopped_and_the_other_continues() -> None:
    calls = Calls()
    engine = open_tiny(decorate=calls.decorate)
    stopped, other = Run(engine, LONG), Run(engine, SEEDED)
    stopped.cancel()
    calls.lent.set()
    assert read(other).done.finish_reason == "length"
    assert isinstance(stopped.end, Done)


def test_a_step_that_fails_ends_its_run_and_the_next_is_answered() -> None:
    model = make_kind("llama")
    runner = WatchedRunner(model.runner)
    engine = open_tiny(replace(model, runner=runner))
    runner.error = RuntimeError("no number")
    failed = read(Run(engine, SEEDED))
    assert "no number" in str(failed.failed.error)
    assert len(list_finals(failed.events)) == 1
    assert len(read(Run(engine, SEEDED)).tokens) == 24


def refuse(title: str, message: str) -> Exception:
    """What the platform's package raises."""
    return gr.Error(message, title=title, print_exception=False)


QUOTA = "You have exceeded your free ZeroGPU quota (18s requested vs. 3s left). Try again in 3:20:11. "


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (refuse("ZeroGPU quota exceeded", QUOTA), Overloaded, "18 s are needed, 3 s are left): try again in 3:20:11"),
        (refuse("ZeroGPU quota exceeded", "Space app has reached its GPU limit. Try"), Overloaded, "log in on"),
        (refuse("ZeroGPU quota exceeded", "You have exceeded your ZeroGPU runs limit."), Overloaded, "try again later"),
        (refuse("ZeroGPU quota exceeded", "No GPU was available after 60s. Try"), Overloaded, "No GPU became free"),
        (refuse("ZeroGPU queue timeout", "No GPU was available after 60s Retry"), Overloaded, "No GPU became free"),
        (refuse("ZeroGPU pending credits exceeded", "You have too many"), Overloaded, "reserved by answers under way"),
        (refuse("ZeroGPU illegal duration", "The requested"), BadRequest, "ask for fewer tokens"),
        (refuse("ZeroGPU client error", "No GPU was available"), Overloaded, "No GPU became free"),
        (refuse("ZeroGPU client error", "Expired ZeroGPU proxy token"), NotReady, "reload the page"),
        (refuse("ZeroGPU worker error", "GPU task aborted"), NotReady, "before the answer began"),
        (refuse("ZeroGPU worker error", "OutOfMemoryError"), EngineFailed, "OutOfMemoryError"),
        (RuntimeError("ZeroGPU API /schedule error: 500"), EngineFailed, "schedule error: 500"),
    ],
)
def test_a_refusal_is_told_in_the_visitors_words(error: Exception, kind: type[Exception], words: str) -> None:
    calls = Calls(refusal=error)
    calls.lent.set()
    answer = read(Run(open_tiny(decorate=calls.decorate), SEEDED))
    assert [type(event) for event in answer.events] == [Failed]
    assert type(answer.failed.error) is kind
    assert words in str(answer.failed.error)


def cut(call: Call) -> Call:
    return lambda asked: iter([[Started(time.perf_counter(), 1, 0)]])


def abort(call: Call) -> Call:
    def begin(asked: GpuRequest) -> Iterator[Sequence[Event]]:
        yield [Started(time.perf_counter(), 1, 0)]
        raise refuse("ZeroGPU worker error", "GPU task aborted")

    return begin


def hurry(call: Call) -> Call:
    return lambda asked: call(replace(asked, seconds=int(START_SECONDS)))


@pytest.mark.parametrize(
    ("decorate", "kind", "words"),
    [
        (cut, EngineFailed, "no end"),
        (abort, Incomplete, "taken back before the answer was complete"),
        (hurry, Incomplete, "ask for a shorter one"),
    ],
)
def test_a_run_without_an_end_that_is_aborted_or_takes_longer_than_it_asked_for_says_so(
    decorate: Callable[[Call], Call], kind: type[Exception], words: str
) -> None:
    error = read(Run(open_tiny(decorate=decorate), SEEDED)).failed.error
    assert type(error) is kind
    assert words in str(error)


def test_a_paced_run_is_written_no_sooner_than_its_pace_allows() -> None:
    answer = read(Run(open_tiny(), replace(SEEDED, max_new_tokens=8, pace=100.0)))
    times = [token.time for token in answer.tokens]
    assert all(time - times[0] >= at / 100 - 1e-6 for at, time in enumerate(times))
    assert answer.ids == read(Run(open_tiny(), replace(SEEDED, max_new_tokens=8))).ids
    assert isinstance(answer.events[-1], Done)


def test_a_call_has_the_context_of_the_request() -> None:
    visitor: ContextVar[str] = ContextVar("visitor")
    seen: list[str] = []

    def note(call: Call) -> Call:
        def begin(asked: GpuRequest) -> Iterator[Sequence[Event]]:
            seen.append(visitor.get())
            yield from call(asked)

        return begin

    visitor.set("a token")
    read(Run(open_tiny(decorate=note), SEEDED))
    assert seen == ["a token"]


def test_more_runs_than_there_is_room_for_are_refused_and_ended_ones_make_room() -> None:
    calls = Calls()
    engine = open_tiny(decorate=calls.decorate)
    runs = [Run(engine, SEEDED) for _ in range(LIMIT)]
    with pytest.raises(Overloaded, match="which is the limit"):
        Run(engine, SEEDED)
    calls.lent.set()
    for run in runs:
        read(run)
    wait_for_the_end(engine)
    assert len(read(Run(engine, SEEDED)).tokens) == 24


def test_closing_ends_every_run_once() -> None:
    engine, runner, _ = pause()
    run = Run(engine, LONG)
    assert runner.arrived.acquire(timeout=30)
    runner.permits.release(200)
    engine.close()
    assert isinstance(read(run).failed.error, Incomplete)
    assert len(list_finals(run.events)) == 1
    with pytest.raises(NotReady, match="shutting down"):
        Run(engine, SEEDED)


def test_an_engine_without_a_model_says_why() -> None:
    engine = open_tiny()
    engine._model = ModelError("It is gated: accept its terms.")
    assert isinstance(engine.status, Broken)
    with pytest.raises(NotReady, match="gated"):
        Run(engine, SEEDED)


def test_the_time_asked_for_grows_with_the_answer_and_is_bounded_and_learned() -> None:
    estimates = GpuTime()
    assert estimates.estimate(10, 20) == 7  # 5 s to start, 20 tokens at 20 tokens/s, a little for the prompt
    assert estimates.estimate(10, 4000) == MAX_SECONDS
    estimates.note([Token(at / 100, at + 1, 0, "", 0.0, False) for at in range(11)])
    assert estimates.estimate(0, 1000) == START_SECONDS + 20  # half of the 100 tokens/s that were measured
