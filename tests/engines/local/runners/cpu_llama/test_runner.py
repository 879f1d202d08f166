"""Logits are bit-identical whatever the other rows, the chunks of the prompt and the number of threads are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from demo.engines.local.engine import LocalEngine
from demo.engines.local.loading.free_memory import KVMemory
from demo.engines.local.model import Model
from demo.engines.local.runner import Chunk, Handle, Outputs, Runner
from demo.engines.local.runners.cpu_llama.kernels.attention import PAGE
from demo.engines.local.runners.cpu_llama.kv_pages import PagePool
from demo.engines.local.runners.cpu_llama.runner import CpuLlamaRunner
from demo.engines.local.runners.cpu_llama.weights.gguf import GgufFile
from demo.request import Request, Sampling
from tests.engines.local.answers import ask
from tests.engines.local.conftest import OpenWorker
from tests.engines.local.following import MEMORY, follow, make_ids, open_runner, open_sequence, read_prompt, step
from tests.engines.local.tiny_files import Recipe, load, write_gguf

LENGTHS = [1, 2, 33, 64, 127, 128, 129, 255, 384, 385, 513, 700]
CONTEXT = 2048
OUTPUTS: tuple[Outputs, ...] = ("none", "last", "all")


@pytest.fixture(scope="module", params=["Q4_1", "BF16"])
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = Recipe(form=request.param, hidden=256, context=CONTEXT)
    return write_gguf(tmp_path_factory.mktemp("batch") / f"{request.param}.gguf", recipe)


@pytest.fixture(scope="module")
def runner(file: Path) -> Runner:
    """Every test leaves it as empty as it was."""
    return open_runner(file)


@dataclass(frozen=True)
class Plan:
    """A sequence that begins before step `start` and ends after `steps` of its own."""

    length: int
    start: int
    steps: int

    @property
    def prompt(self) -> list[int]:
        return make_ids(self.length, seed=self.length)

    @property
    def ids(self) -> list[int]:
        return make_ids(self.steps, seed=self.start)


def follow_together(runner: Runner, plans: Sequence[Plan]) -> list[Tensor]:
    """Each plan's logits [1 + steps, vocabulary], the sequences beginning and ending as planned."""
    found: list[list[Tensor]] = [[] for _ in plans]
    handles: dict[int, Handle] = {}
    for at in range(max(plan.start + plan.steps for plan in plans) + 1):
        for number in [number for number in handles if plans[number].start + plans[number].steps == at]:
            runner.free(handles.pop(number), ())
        for number, plan in enumerate(plans):
            if plan.start == at:
                handles[number] = open_sequence(runner, plan.prompt)
                found[number].append(read_prompt(runner, handles[number], plan.prompt))
        ids = {handle: plans[number].ids[at - plans[number].start] for number, handle in handles.items()}
        if ids:
            for number, row in zip(handles, step(runner, ids), strict=True):
                found[number].append(row)
    return [torch.stack(each) for each in found]


def equal_alone(runner: Runner, plans: Sequence[Plan]) -> bool:
    together = follow_together(runner, plans)
    alone = [follow(runner, plan.prompt, plan.ids) for plan in plans]
    return all(map(torch.equal, together, alone))


def test_prompts_of_every_length_decode_together_as_alone(runner: Runner) -> None:
    assert equal_alone(runner, [Plan(length, 0, 6) for length in LENGTHS])


def test_rows_that_grow_beyond_a_page_decode_as_alone(runner: Runner) -> None:
    assert equal_alone(runner, [Plan(370, 0, 30), Plan(5, 3, 20), Plan(500, 5, 20)])


plans = st.builds(Plan, st.sampled_from(LENGTHS[:10]), st.integers(0, 8), st.integers(1, 12))


@settings(max_examples=8)
@given(st.lists(plans, min_size=2, max_size=7))
def test_sequences_that_begin_and_end_in_any_order_never_change_each_other(runner: Runner, plans: list[Plan]) -> None:
    assert equal_alone(runner, plans)


@pytest.mark.parametrize("sizes", [(1,), (7, 64), (33,), (100, 1, 300), (5000,)], ids=str)
def test_a_prompt_gives_the_same_in_chunks_of_any_sizes(sizes: Sequence[int], runner: Runner) -> None:
    for length in (1, 65, 129, 386):
        prompt, ids = make_ids(length), make_ids(3, seed=1)
        assert torch.equal(follow(runner, prompt, ids, sizes), follow(runner, prompt, ids))


@pytest.mark.parametrize("size", [1, 4, 50, 1000])
def test_chunks_of_prompts_and_decoding_rows_in_one_pass_do_not_change_each_other(size: int, runner: Runner) -> None:
    prompts = [make_ids(length, seed=length) for length in (30, 1, 140)]
    row, ids = make_ids(50), make_ids(200, seed=1)
    going_on = open_sequence(runner, row)
    steps = [read_prompt(runner, going_on, row)]
    handles = {open_sequence(runner, prompt): prompt for prompt in prompts}
    last: dict[Handle, Tensor] = {}
    while len(last) < len(handles):
        unread = [handle for handle in handles if handle not in last]
        assert runner.reserve(going_on, going_on.length + 1)
        chunks = [Chunk(handle, handles[handle][handle.length :][:size]) for handle in unread]
        logits = runner.execute([Chunk(going_on, [ids[len(steps) - 1]]), *chunks])
        steps.append(logits[0])
        last.update(
            (handle, row)
            for handle, row in zip(unread, logits[1:], strict=True)
            if handle.length == len(handles[handle])
        )
    for handle in (going_on, *handles):
        runner.free(handle, ())
    assert all(torch.equal(last[handle], follow(runner, prompt, [])[0]) for handle, prompt in handles.items())
    assert torch.equal(torch.stack(steps), follow(runner, row, ids[: len(steps) - 1]))


def test_logits_are_given_for_the_tokens_that_ask_for_them(runner: Runner) -> None:
    prompt = make_ids(40)
    handles = [open_sequence(runner, prompt) for _ in range(3)]
    silent, last, all_rows = (Chunk(handle, prompt, outputs) for handle, outputs in zip(handles, OUTPUTS, strict=True))
    logits = runner.execute([silent, all_rows, last])
    assert len(logits) == 41
    assert torch.equal(logits[-1], logits[-2])
    assert torch.equal(logits[3], follow(runner, prompt[:4], [])[0])
    for handle in handles:
        runner.free(handle, ())


def test_the_number_of_threads_changes_nothing(runner: Runner, file: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    others = open_runner(file)
    torch.set_num_threads(before)
    for length in (1, 40, 300):
        prompt, ids = make_ids(length), make_ids(5, seed=1)
        assert torch.equal(follow(runner, prompt, ids), follow(others, prompt, ids))


def test_an_empty_runner_that_was_full_gives_what_a_new_one_gives(runner: Runner, file: Path) -> None:
    follow_together(runner, [Plan(length, 0, 3) for length in (600, 3)])
    new = open_runner(file)
    assert torch.equal(follow(runner, make_ids(70), [1, 2]), follow(new, make_ids(70), [1, 2]))


def read_reusing(runner: Runner, prompt: Sequence[int], ids: Sequence[int], salt: str = "") -> tuple[int, Tensor]:
    """How many tokens were reused, and the logits [1 + ids, vocabulary] after the prompt and the ids."""
    handle = open_sequence(runner, prompt, salt, reuse=True)
    cached = handle.length
    first = read_prompt(runner, handle, prompt)
    rest = [step(runner, {handle: id})[0] for id in ids]
    runner.free(handle, ())
    return cached, torch.stack([first, *rest])


@pytest.mark.parametrize("turns", [(1, 2, 3), (40, 60, 300), (127, 128, 129), (128, 256, 257), (300, 500, 501)])
def test_the_next_turn_of_a_conversation_reuses_all_earlier_tokens_and_gives_the_same_bits(
    turns: Sequence[int], file: Path
) -> None:
    runner = open_runner(file)
    history: list[int] = []
    for length in turns:
        prompt = [*history, *make_ids(length, seed=length)]
        ids = make_ids(5, seed=2)
        cached, logits = read_reusing(runner, prompt, ids)
        assert cached == len(history)
        assert torch.equal(logits, follow(runner, prompt, ids))
        history = [*prompt, *ids]


def test_the_same_prompt_again_reads_its_last_token_only(file: Path) -> None:
    runner = open_runner(file)
    for length in (1, 100, 128, 129, 400):
        prompt = make_ids(length, seed=length)
        cold, warm = read_reusing(runner, prompt, []), read_reusing(runner, prompt, [])
        assert (cold[0], warm[0]) == (0, length - 1)
        assert torch.equal(cold[1], warm[1])


def test_a_page_is_shared_while_its_sequence_runs(file: Path) -> None:
    runner = open_runner(file)
    assert isinstance(runner, CpuLlamaRunner)
    prompt = make_ids(300)
    first = open_sequence(runner, prompt, reuse=True)
    read_prompt(runner, first, prompt)
    pages = runner._pool.count
    second = open_sequence(runner, prompt, reuse=True)
    assert second.length == 256
    assert runner._pool.count == pages + 1
    assert torch.equal(read_prompt(runner, second, prompt), follow(runner, prompt, [])[0])


def test_nothing_is_shared_between_salts_nor_reused_where_reuse_is_off(file: Path) -> None:
    runner = open_runner(file)
    prompt = make_ids(300)
    read_reusing(runner, prompt, [], "one")
    assert read_reusing(runner, prompt, [], "other")[0] == 0
    assert open_sequence(runner, prompt, "one", reuse=False).length == 0
    without = open_runner(file, KVMemory(MEMORY.bytes, keeps_prefixes=False))
    assert [read_reusing(without, prompt, [])[0] for _ in range(2)] == [0, 0]


def open_small_runner(file: Path, pages: int) -> CpuLlamaRunner:
    page = PagePool(GgufFile(file).shape, 0).page_bytes
    runner = open_runner(file, KVMemory(pages * page, keeps_prefixes=True))
    assert isinstance(runner, CpuLlamaRunner)
    return runner


def test_what_is_kept_is_dropped_when_the_memory_is_needed_and_never_beyond_the_budget(file: Path) -> None:
    runner = open_small_runner(file, pages=5)
    assert runner.limits.capacity == 5 * PAGE
    for seed in range(8):
        read_reusing(runner, make_ids(300, seed), [])
        assert runner._pool.count <= 5
    assert read_reusing(runner, make_ids(300, 7), [])[0] == 299
    assert read_reusing(runner, make_ids(300, 0), [])[0] == 0


def test_a_sequence_without_room_is_refused_and_leaves_nothing_behind(file: Path) -> None:
    runner = open_small_runner(file, pages=3)
    first = open_sequence(runner, make_ids(2 * PAGE - 1))
    assert runner.allocate(make_ids(PAGE), None, reuse=True) is None
    assert runner._pool.count == 2
    assert runner.reserve(first, 3 * PAGE)
    assert not runner.reserve(first, 3 * PAGE + 1)
    runner.free(first, ())
    assert runner._pool.count == 0


@pytest.fixture(scope="module")
def model(file: Path) -> Model:
    return load(file, "stored")


@pytest.mark.parametrize("seed", [1, 11])
def test_a_seed_gives_the_same_tokens_and_log_probabilities_alone_and_among_others_of_any_pace(
    seed: int, model: Model, open_worker: OpenWorker
) -> None:
    engine: LocalEngine = open_worker(model)
    drawn = Sampling(do_sample=True, temperature=1.2, top_p=0.9, seed=seed)
    lengths = [3, 100, 383, 513, 20]
    requests = [Request("x" * length, 20 + length % 7, drawn, ignore_eos=True) for length in lengths]
    paces = (None, 300.0, 150.0, None, 500.0)
    together = ask(engine, *(replace(request, pace=pace) for request, pace in zip(requests, paces, strict=True)))
    for request, answer in zip(requests, together, strict=True):
        (alone,) = ask(engine, request)
        assert (alone.ids, alone.logprobs) == (answer.ids, answer.logprobs)
