"""The engine that is opened again after it has broken: scripted engines, a scripted clock, and the local engine."""

import gc
import threading
import weakref
from collections.abc import Callable, Iterator

import pytest

from demo.engine import Broken, Load, Loading, Log, Ready, Status, Ticket
from demo.engines.metered import MeteredEngine
from demo.engines.reloading import HUNG_SECONDS, STEADY_SECONDS, WATCH_SECONDS, Backoff, ReloadingEngine
from demo.errors import DemoError, EngineFailed, ModelError, NotReady, SettingError
from demo.events import Failed
from demo.request import Request
from demo.run import Run
from tests.engines.endpoint.opened import wait_for_status
from tests.scripted import CARD, ScriptedEngine

REQUEST = Request("Hello")
READY = Ready(CARD)


class Breakable(ScriptedEngine):
    def __init__(self, status: Status, on_broken: Callable[[], None]) -> None:
        super().__init__(status)
        self._on_broken = on_broken

    def break_down(self, error: DemoError) -> None:
        self._status = Broken(error)
        for ticket in self.tickets:
            ticket.fail(error)
        self._on_broken()

    def break_within(self, error: DemoError) -> None:
        """As a worker does: the frames of the error and of its cause hold the engine, which is in a circle."""
        self.circle = self
        try:
            try:
                raise ValueError("a bug of our own")
            except ValueError as bug:
                raise error from bug
        except DemoError as caught:
            self.break_down(caught)

    def submit(self, request: Request, log: Log) -> Ticket:
        if isinstance(self._status, Loading):
            raise NotReady("The model is still loading.")
        return super().submit(request, log)


class Bench:
    """A reloading engine whose engines, pauses and clock the test scripts. Pauses end when the test says so."""

    def __init__(self, *statuses: Status, waits_really: bool = False) -> None:
        self.statuses = list(statuses)
        self.now = 0.0
        self.alive: list[int] = []  # for each opening, how many earlier engines were still in memory
        self.pauses: list[float] = []
        self._waits_really = waits_really  # a pause ends when its event is set
        self._paused = threading.Semaphore(0)
        self._go_on = threading.Semaphore(0)
        self._opened: list[weakref.ref[Breakable]] = []
        self._opening = threading.Semaphore(0)
        self.engine = ReloadingEngine(
            self._open, Backoff(2, 300, draw=lambda: 0.0), clock=lambda: self.now, wait=self._wait
        )

    @property
    def last(self) -> Breakable:
        engine = self._opened[-1]()
        assert engine is not None
        return engine

    def wait_for_pause(self) -> float:
        """The next pause, once it has begun."""
        assert self._paused.acquire(timeout=20)
        return self.pauses[-1]

    def go_on(self) -> None:
        self.now += self.pauses[-1]
        self._go_on.release()

    def wait_for_openings(self, count: int = 1) -> None:
        for _ in range(count):
            assert self._opening.acquire(timeout=20)

    def close(self) -> None:
        self.engine.close()
        self._go_on.release()

    def _open(self, on_broken: Callable[[], None]) -> Breakable:
        gc.collect()
        self.alive.append(sum(each() is not None for each in self._opened))
        engine = Breakable(self.statuses.pop(0) if self.statuses else READY, on_broken)
        self._opened.append(weakref.ref(engine))
        self._opening.release()
        return engine

    def _wait(self, event: threading.Event, seconds: float) -> None:
        if seconds == WATCH_SECONDS:
            event.wait(0.01)  # a watch: it looks again
            return
        if self._waits_really:
            self._paused.release()
            assert event.wait(20)
            return
        self.pauses.append(seconds)
        self._paused.release()
        assert self._go_on.acquire(timeout=20)


@pytest.fixture
def bench() -> Iterator[Bench]:
    """Its first engine is ready."""
    bench = Bench()
    bench.wait_for_openings()
    yield bench
    bench.close()


def broken() -> EngineFailed:
    return EngineFailed("A dead kernel thread.")


def test_after_an_engine_has_broken_runs_end_requests_are_refused_with_the_reason_and_the_next_one_answers(
    bench: Bench,
) -> None:
    run = Run(bench.engine, REQUEST)
    bench.last.break_down(broken())
    assert bench.wait_for_pause() == 2
    assert isinstance(run.events[-1], Failed)
    status = bench.engine.status
    assert isinstance(status, Broken)
    assert (str(status.error), status.retry_at) == ("A dead kernel thread.", bench.now + 2)
    for ask in (bench.engine.admit, lambda: Run(bench.engine, REQUEST), lambda: bench.engine.tokenize("Hello")):
        with pytest.raises(NotReady, match="A dead kernel thread") as refusal:
            ask()
        assert refusal.value.retry_after == 2
    bench.go_on()
    wait_for_status(bench.engine, Ready)
    Run(bench.engine, REQUEST)
    bench.last.tickets[0].finish()


def test_no_engine_is_opened_while_an_earlier_one_is_in_memory_also_where_its_runs_are_kept(bench: Bench) -> None:
    kept = []
    for _ in range(3):
        wait_for_status(bench.engine, Ready)
        kept.append(Run(bench.engine, REQUEST))
        bench.last.break_down(broken())
        bench.wait_for_pause()
        bench.go_on()
        bench.wait_for_openings()
    assert bench.alive == [0, 0, 0, 0]
    kept[0].cancel()  # no effect: its engine is gone


@pytest.mark.parametrize("pauses", [[2], [2, 4]], ids=["nobody holds it", "another holds it for a while"])
def test_the_error_and_a_circle_keep_no_engine_in_memory_and_one_that_is_held_is_released_at_the_next_look(
    pauses: list[float], bench: Bench
) -> None:
    held = [bench.last] * (len(pauses) - 1)
    bench.last.break_within(broken())
    gc.disable()  # only what is released counts
    try:
        for pause in pauses:
            assert bench.wait_for_pause() == pause
            if pause == pauses[-1]:
                held.clear()
            bench.go_on()
        bench.wait_for_openings()
    finally:
        gc.enable()
    assert (bench.pauses, bench.alive) == (pauses, [0, 0])


@pytest.mark.parametrize(
    ("error", "pauses"),
    [(broken(), [2, 4, 8]), (ModelError("No hub."), [300] * 3), (SettingError("--dtype is 3."), [300] * 3)],
    ids=["broken", "model", "setting"],
)
def test_pauses_grow_and_only_the_longest_follows_an_error_that_loading_again_hardly_mends(
    error: DemoError, pauses: list[float]
) -> None:
    bench = Bench(*[Broken(error)] * 3)
    for pause in pauses:
        assert bench.wait_for_pause() == pause
        bench.go_on()
    bench.close()


def test_after_a_long_steady_time_the_first_pause_is_the_shortest_again() -> None:
    bench = Bench(Broken(broken()), Broken(broken()))
    for _ in range(2):
        bench.wait_for_pause()
        bench.go_on()
    bench.wait_for_openings(3)
    bench.now += STEADY_SECONDS + 1
    bench.last.break_down(broken())
    assert bench.wait_for_pause() == 2
    bench.close()


def test_an_engine_that_hangs_is_given_up_and_its_runs_end(bench: Bench) -> None:
    run = Run(bench.engine, REQUEST)
    bench.last.stalled = HUNG_SECONDS + 1
    bench.wait_for_pause()
    assert run.events
    assert isinstance(bench.engine.status, Broken)
    assert "no step has ended for 120 s" in str(bench.engine.status.error)


def test_while_it_loads_again_its_status_holds_the_reason() -> None:
    bench = Bench(Broken(broken()), Loading("reading the weights", 0.5))
    bench.wait_for_pause()
    bench.go_on()
    status = wait_for_status(bench.engine, Loading)
    assert isinstance(status, Loading)
    assert (status.step, status.fraction, str(status.failure)) == ("reading the weights", 0.5, "A dead kernel thread.")
    bench.close()


def test_an_engine_that_cannot_even_be_opened_is_tried_again() -> None:
    bench = Bench(Broken(broken()))
    bench.wait_for_pause()
    opener = bench.engine._open
    bench.engine._open = lambda on_broken: (_ for _ in ()).throw(RuntimeError("can't start new thread"))
    bench.go_on()
    bench.wait_for_pause()
    assert "can't start new thread" in str(bench.engine.status)
    bench.engine._open = opener
    bench.go_on()
    bench.wait_for_openings(2)
    bench.close()


def test_whoever_runs_the_server_ends_the_pause_and_only_a_pause() -> None:
    bench = Bench(Broken(broken()), Loading("reading the weights"), waits_really=True)
    assert bench._paused.acquire(timeout=20)
    assert bench.engine.reload()
    wait_for_status(bench.engine, Loading)
    assert not bench.engine.reload()
    bench.last.break_down(broken())
    assert bench._paused.acquire(timeout=20)  # the press before ends no later pause
    bench.engine.close()
    assert not bench.engine.reload()


def test_metrics_outlive_the_engine_and_a_closed_one_refuses(bench: Bench) -> None:
    metered = MeteredEngine(bench.engine)
    Run(metered, REQUEST)
    bench.last.tickets[0].finish()
    bench.last.break_down(broken())
    bench.wait_for_pause()
    assert b"tgi_request_success 1.0" in metered.metrics.write()
    assert bench.engine.load == Load(0, 0, 100, 0.0)
    metered.close()
    with pytest.raises(NotReady, match="shutting down"):
        metered.submit(REQUEST, lambda *events: None)


def test_each_pause_is_twice_the_last_up_to_the_longest_and_begins_again_after_a_reset() -> None:
    backoff = Backoff(2, 20, draw=lambda: 0.0)
    assert [backoff.choose_pause() for _ in range(6)] == [2, 4, 8, 16, 20, 20]
    backoff.reset()
    assert backoff.choose_pause() == 2
    assert backoff.choose_longest() == 20
    assert backoff.choose_pause() == 4


def test_a_pause_is_up_to_a_fifth_shorter_at_random() -> None:
    assert Backoff(10, 300, draw=lambda: 1.0).choose_pause() == 8
    assert 8 <= Backoff(10, 300).choose_pause() <= 10
