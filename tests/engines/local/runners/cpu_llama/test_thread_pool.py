"""A thread that the system holds up holds up nobody, and changes nothing, to the last bit."""

import weakref
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest
import torch

from demo.engines.local.runner import Runner
from demo.engines.local.runners.cpu_llama.forward_batch import ForwardBatch
from demo.engines.local.runners.cpu_llama.kernels import find_missing_kernels
from demo.engines.local.runners.cpu_llama.kernels.forward import SLOTS
from demo.engines.local.runners.cpu_llama.loading import load_llama
from demo.engines.local.runners.cpu_llama.thread_pool import ThreadPool
from tests.engines.local.following import MEMORY, follow, make_ids
from tests.engines.local.tiny_files import Recipe, write_gguf

pytestmark = pytest.mark.skipif(find_missing_kernels() != "", reason=find_missing_kernels())

PATIENCE = 30  # seconds


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(tmp_path_factory.mktemp("crew") / "tiny.gguf", Recipe(form="Q4_1"))


def load(file: Path, threads: int) -> Runner:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return load_llama(file).make_runner(MEMORY)
    finally:
        torch.set_num_threads(before)


class HeldUp(Thread):
    """A thread of a crew that begins only when it is let go."""

    all: ClassVar[list["HeldUp"]] = []

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        *_, self.busy, _, self.number = arguments["args"]
        self.all.append(self)

    def start(self) -> None:
        """Not yet."""

    def let_go(self) -> None:
        super().start()

    def be_in(self, number: int) -> None:
        """Look as if it were in that pass; 0 for none."""
        self.busy[self.number, 0] = number


@pytest.fixture
def held_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[HeldUp]]:
    """The threads of crews that are made from now on, but those that ask."""
    HeldUp.all.clear()
    monkeypatch.setattr("demo.engines.local.runners.cpu_llama.thread_pool.Thread", HeldUp)
    yield HeldUp.all
    for thread in HeldUp.all:
        thread.be_in(0)


def test_the_others_do_the_share_of_a_thread_that_is_held_up(file: Path, held_up: list[HeldUp]) -> None:
    prompt, ids = make_ids(40), make_ids(3, seed=1)
    expected = follow(load(file, threads=1), prompt, ids)
    batch = load(file, threads=3)
    assert torch.equal(follow(batch, prompt, ids), expected)
    for thread in held_up:
        thread.let_go()
    assert torch.equal(follow(batch, prompt, ids), expected)


def test_what_a_thread_may_still_read_stays_until_it_is_out_of_that_pass(
    file: Path, held_up: list[HeldUp], monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[weakref.ref[ForwardBatch]] = []

    def watch(crew: ThreadPool, now: ForwardBatch) -> None:
        passes.append(weakref.ref(now))
        run(crew, now)

    run = ThreadPool.run
    monkeypatch.setattr(ThreadPool, "run", watch)
    batch = load(file, threads=2)
    held_up[0].be_in(2)
    follow(batch, make_ids(3), make_ids(3))
    assert [each() is not None for each in passes] == [False, True, False, False]
    held_up[0].be_in(0)
    follow(batch, make_ids(3), [])
    assert [each() for each in passes] == [None] * 5


def test_no_pass_takes_the_place_of_one_that_a_thread_is_still_in(file: Path, held_up: list[HeldUp]) -> None:
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


def test_more_threads_than_cores_change_nothing(file: Path) -> None:
    """Threads are held up in the middle of a share, again and again."""
    alone, crowd = load(file, threads=1), load(file, threads=8)
    for turn in range(4):
        prompt, ids = make_ids(1 + 60 * turn), make_ids(40, seed=turn)
        assert torch.equal(follow(crowd, prompt, ids), follow(alone, prompt, ids))
