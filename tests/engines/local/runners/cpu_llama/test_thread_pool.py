"""A thread that is preempted, woken by a signal or dead delays no pass for ever, and changes no bit."""

import os
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest
import torch

from demo.engines.local.runner import Runner
from demo.engines.local.runners.cpu_llama.forward_batch import ForwardBatch
from demo.engines.local.runners.cpu_llama.kernels import entry
from demo.engines.local.runners.cpu_llama.kernels.barrier import sem_wait
from demo.engines.local.runners.cpu_llama.kernels.forward import PROGRESS, SLOTS
from demo.engines.local.runners.cpu_llama.thread_pool import ThreadPool
from tests.engines.local.following import follow, make_ids, open_runner
from tests.engines.local.tiny_files import Recipe, write_gguf

PATIENCE = 60  # seconds
THREADS = "demo.engines.local.runners.cpu_llama.thread_pool.Thread"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(tmp_path_factory.mktemp("threads") / "tiny.gguf", Recipe(form="Q4_1"))


def load(file: Path, threads: int) -> Runner:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return open_runner(file)
    finally:
        torch.set_num_threads(before)


class HeldUp(Thread):
    """A kernel thread that the system does not run before `let_go`, and that is alive."""

    all: ClassVar[list["HeldUp"]] = []

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        *_, self.hazards, _, self.number, _ = arguments["args"]
        self.all.append(self)

    def start(self) -> None:
        """Not yet."""

    def is_alive(self) -> bool:
        return True

    @property
    def native_id(self) -> int:
        return os.getpid()

    def let_go(self) -> None:
        super().start()

    def be_in(self, number: int) -> None:
        """Set its hazard slot to that pass; 0 for none."""
        self.hazards[self.number, 0] = number


@pytest.fixture
def held_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[HeldUp]]:
    """The kernel threads that are made from now on."""
    HeldUp.all.clear()
    monkeypatch.setattr(THREADS, HeldUp)
    yield HeldUp.all
    for thread in HeldUp.all:
        thread.be_in(0)


def test_the_others_run_the_task_of_a_preempted_thread(file: Path, held_up: list[HeldUp]) -> None:
    prompt, ids = make_ids(40), make_ids(3, seed=1)
    expected = follow(load(file, threads=1), prompt, ids)
    batch = load(file, threads=3)
    assert torch.equal(follow(batch, prompt, ids), expected)
    for thread in held_up:
        thread.let_go()
    assert torch.equal(follow(batch, prompt, ids), expected)


def test_what_a_thread_may_still_read_is_kept_until_it_has_left_the_pass(
    file: Path, held_up: list[HeldUp], monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[weakref.ref[ForwardBatch]] = []

    def watch(pool: ThreadPool, batch: ForwardBatch) -> None:
        passes.append(weakref.ref(batch))
        run(pool, batch)

    run = ThreadPool.run
    monkeypatch.setattr(ThreadPool, "run", watch)
    batch = load(file, threads=2)
    held_up[0].be_in(2)
    follow(batch, make_ids(3), make_ids(3))
    assert [each() is not None for each in passes] == [False, True, False, False]
    held_up[0].be_in(0)
    follow(batch, make_ids(3), [])
    assert [each() for each in passes] == [None] * 5


def test_no_pass_takes_the_slot_of_one_that_a_thread_is_still_in(file: Path, held_up: list[HeldUp]) -> None:
    batch = load(file, threads=2)
    held_up[0].be_in(1)
    follow(batch, make_ids(3), make_ids(SLOTS - 1))
    later = Thread(target=follow, args=(batch, make_ids(3), []))
    later.start()
    later.join(0.1)
    assert later.is_alive()
    held_up[0].be_in(0)
    later.join(PATIENCE)
    assert not later.is_alive()


def test_more_threads_than_cores_change_no_bit(file: Path) -> None:
    """Threads are preempted in the middle of a task, again and again."""
    alone, many = (load(file, threads=threads) for threads in (1, 8))
    for seed in range(4):
        prompt, ids = make_ids(1 + 60 * seed), make_ids(20, seed=seed)
        assert torch.equal(follow(many, prompt, ids), follow(alone, prompt, ids))


@entry
def wait_for_pass(semaphore: int) -> None:
    sem_wait(semaphore)


class Dying(Thread):
    """A kernel thread that claims its task of the first operation, and dies before it commits the result."""

    def __init__(self, **arguments: Any) -> None:
        *_, control, _, semaphores, number, _ = arguments["args"]
        control[PROGRESS + 1 + number, 0] = 1
        super().__init__(**arguments | {"target": wait_for_pass, "args": (semaphores[number].ctypes.data,)})


@pytest.fixture
def dying(file: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """A model whose second thread dies in the first pass. Threads that are made later do not."""
    with monkeypatch.context() as patch:
        patch.setattr(THREADS, Dying)
        return load(file, threads=2)


def test_a_thread_that_dies_in_a_pass_fails_it_by_name_and_the_next_pass_is_right(file: Path, dying: Runner) -> None:
    prompt, ids = make_ids(40), make_ids(3, seed=1)
    with pytest.raises(RuntimeError, match="kernel thread 1 has died, so that this step failed"):
        follow(dying, prompt, ids)
    expected = follow(load(file, threads=1), prompt, ids)
    assert torch.equal(follow(dying, prompt, ids), expected)


def test_a_thread_that_cannot_be_started_fails_the_pass_and_the_next_one_tries_again(
    dying: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: Thread) -> None:
        raise RuntimeError("can't start new thread")

    with pytest.raises(RuntimeError, match="has died"):
        follow(dying, make_ids(3), [])
    with monkeypatch.context() as patch:
        patch.setattr(Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="kernel thread 1 could not be started: can't start new thread"):
            follow(dying, make_ids(3), [])
    follow(dying, make_ids(3), [])


# Signals wake the sleeping thread (3 threads, of which 2 sleep) before the first pass, between passes, and in them.
SIGNALLED = """
import signal, sys, threading, time
from pathlib import Path
import torch
from tests.engines.local.following import follow, make_ids, open_runner

signals = []
signal.signal(signal.SIGALRM, lambda *_: signals.append(1))
torch.set_num_threads(3)
batch = open_runner(Path(sys.argv[1]))
kernel_threads = [each for each in threading.enumerate() if each.name.startswith("kernel thread")]
assert len(kernel_threads) == 2
signal.setitimer(signal.ITIMER_REAL, 1e-3, 1e-3)
logits = []
for _ in range(20):
    for each in kernel_threads:
        signal.pthread_kill(each.ident, signal.SIGALRM)
    logits.append(follow(batch, make_ids(9), make_ids(3, seed=1)))
signal.setitimer(signal.ITIMER_REAL, 0)
assert len(signals) > 20
assert all(each.is_alive() for each in kernel_threads)
print(all(torch.equal(each, logits[0]) for each in logits))
print(logits[0].numpy().tobytes().hex())
"""

# A fork leaves the kernel threads behind.
FORKED = """
import os, sys
from pathlib import Path
import torch
from tests.engines.local.following import follow, make_ids, open_runner

torch.set_num_threads(2)
batch = open_runner(Path(sys.argv[1]))
before = follow(batch, make_ids(9), [])
if child := os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
try:
    follow(batch, make_ids(9), [])
except RuntimeError as error:
    print(error)
print(torch.equal(follow(batch, make_ids(9), []), before))
sys.stdout.flush()
os._exit(0)
"""


def run_elsewhere(code: str, *arguments: str) -> list[str]:
    ran = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


def test_signals_that_wake_sleeping_threads_change_nothing(file: Path) -> None:
    same, logits = run_elsewhere(SIGNALLED, str(file))
    assert same == "True"
    assert logits == follow(load(file, threads=1), make_ids(9), make_ids(3, seed=1)).numpy().tobytes().hex()


def test_a_forked_process_says_that_it_has_no_threads_and_starts_its_own(file: Path) -> None:
    error, same = run_elsewhere(FORKED, str(file))
    assert error == "kernel thread 1 has died, so that this step failed; the next one starts new threads"
    assert same == "True"
