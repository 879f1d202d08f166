"""Rows never change each other, to the last bit, nor does how a prompt is cut or how many threads there are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from demo.engines.local.batch import Batch
from demo.engines.local.engine import LocalEngine
from demo.engines.local.model import Model, load_model
from demo.engines.local.runners.cpu_llama.kernels import find_missing_kernels
from demo.engines.local.runners.cpu_llama.loading import load_llama
from demo.engines.local.runners.cpu_llama.runner import LlamaBatch
from demo.events import Request, Sampling
from demo.settings import Settings
from tests.engines.local.answers import ask
from tests.engines.local.conftest import OpenWorker
from tests.engines.local.following import follow, make_ids, read_prompt
from tests.engines.local.tiny_files import Recipe, write_gguf

pytestmark = pytest.mark.skipif(find_missing_kernels() != "", reason=find_missing_kernels())

LENGTHS = [1, 2, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 383, 384, 385, 386, 511, 512, 513, 1100]
CONTEXT = 2048


@pytest.fixture(scope="module", params=["Q4_1", "Q8_0", "BF16", "F32"])
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = Recipe(form=request.param, hidden=256, context=CONTEXT)
    return write_gguf(tmp_path_factory.mktemp("batch") / f"{request.param}.gguf", recipe)


@pytest.fixture(scope="module")
def empty(file: Path) -> Batch:
    """Every test leaves it as empty as it was."""
    return load_llama(file).new_batch()


@dataclass(frozen=True)
class Plan:
    """A row that joins before step `start` and leaves after `steps` of its own."""

    length: int
    start: int
    steps: int

    @property
    def prompt(self) -> list[int]:
        return make_ids(self.length, seed=self.length)

    @property
    def ids(self) -> list[int]:
        return make_ids(self.steps, seed=self.start)


@torch.inference_mode()
def follow_together(batch: Batch, plans: Sequence[Plan]) -> list[Tensor]:
    """Each plan's logits [1 + steps, vocabulary], the rows joining and leaving as planned."""
    found: list[list[Tensor]] = [[] for _ in plans]
    rows: list[int] = []
    for step in range(max(plan.start + plan.steps for plan in plans) + 1):
        for row in [row for row, number in enumerate(rows) if plans[number].start + plans[number].steps == step][::-1]:
            batch.leave(row)
            rows[row] = rows[-1]
            rows.pop()
        for number, plan in enumerate(plans):
            if plan.start == step:
                prefill, logits = read_prompt(batch, plan.prompt)
                found[number].append(logits)
                batch.join(prefill)
                rows.append(number)
        if rows:
            logits = batch.step([plans[number].ids[step - plans[number].start] for number in rows])
            for number, row in zip(rows, logits, strict=True):
                found[number].append(row)
    return [torch.stack(each) for each in found]


def equal_alone(batch: Batch, plans: Sequence[Plan]) -> bool:
    together = follow_together(batch, plans)
    return all(
        torch.equal(follow(batch, plan.prompt, plan.ids), found) for plan, found in zip(plans, together, strict=True)
    )


def test_prompts_of_every_length_go_on_together_as_alone(empty: Batch) -> None:
    assert equal_alone(empty, [Plan(length, 0, 6) for length in LENGTHS])


def test_rows_that_grow_beyond_a_page_go_on_as_alone(empty: Batch) -> None:
    assert equal_alone(empty, [Plan(370, 0, 30), Plan(5, 3, 20), Plan(500, 5, 30), Plan(1015, 0, 20)])


plans = st.builds(Plan, st.sampled_from(LENGTHS[:18]), st.integers(0, 8), st.integers(1, 12))


@settings(max_examples=20)
@given(st.lists(plans, min_size=2, max_size=7))
def test_rows_that_join_and_leave_in_any_order_never_change_each_other(empty: Batch, plans: list[Plan]) -> None:
    assert equal_alone(empty, plans)


@pytest.mark.parametrize("sizes", [(1,), (7, 64), (33,), (100, 1, 300), (5000,)], ids=str)
@pytest.mark.parametrize("length", [1, 65, 129, 386, 1100])
def test_a_prompt_gives_the_same_however_it_is_cut(length: int, sizes: Sequence[int], empty: Batch) -> None:
    prompt, ids = make_ids(length), make_ids(4, seed=1)
    prefill, first = read_prompt(empty, prompt, sizes)
    with torch.inference_mode():
        empty.join(prefill)
        rest = [empty.step([id])[0] for id in ids]
        empty.leave(0)
    assert torch.equal(torch.stack([first, *rest]), follow(empty, prompt, ids))


def test_prompts_may_be_read_in_turns_while_rows_go_on(empty: Batch) -> None:
    prompts = [make_ids(length, seed=length) for length in (200, 390)]
    expected = [read_prompt(empty, prompt)[1] for prompt in prompts]
    with torch.inference_mode():
        empty.join(read_prompt(empty, make_ids(40))[0])
        prefills = [empty.begin(prompt) for prompt in prompts]
        found: list[Tensor | None] = [None, None]
        while any(logits is None for logits in found):
            found = [
                prefill.read(33) if logits is None else logits for prefill, logits in zip(prefills, found, strict=True)
            ]
            empty.step([7])
        empty.leave(0)
    assert all(logits is not None and torch.equal(logits, each) for logits, each in zip(found, expected, strict=True))


@pytest.mark.parametrize("size", [7, 40, 1000])
def test_prompts_may_be_read_together(size: int, empty: Batch) -> None:
    prompts = [make_ids(length, seed=length) for length in (60, 390, 5, 128, 100, 129, 24, 40)]
    expected = [read_prompt(empty, prompt)[1] for prompt in prompts]
    found: dict[int, Tensor] = {}
    with torch.inference_mode():
        prefills = {place: empty.begin(prompt) for place, prompt in enumerate(prompts)}
        while prefills:
            read = empty.read(list(prefills.values()), size)
            ends = {place: logits for place, logits in zip(prefills, read, strict=True) if logits is not None}
            prefills = {place: prefill for place, prefill in prefills.items() if place not in ends}
            found.update(ends)
    assert all(torch.equal(found[place], logits) for place, logits in enumerate(expected))


@pytest.mark.parametrize("size", [1, 4, 50])
def test_prompts_are_read_in_one_pass_with_rows_and_neither_changes_the_other(size: int, empty: Batch) -> None:
    prompts = [make_ids(length, seed=length) for length in (30, 1, 140)]
    expected = [read_prompt(empty, prompt)[1] for prompt in prompts]
    row, ids = make_ids(50), make_ids(200, seed=1)
    found: dict[int, Tensor] = {}
    with torch.inference_mode():
        prefill, first = read_prompt(empty, row)
        empty.join(prefill)
        steps, prefills = [first], {place: empty.begin(prompt) for place, prompt in enumerate(prompts)}
        while prefills:
            read = zip(list(prefills), empty.read(list(prefills.values()), size), strict=True)
            found.update((place, logits) for place, logits in read if logits is not None)
            prefills = {place: prefill for place, prefill in prefills.items() if place not in found}
            steps.append(empty.step([ids[len(steps) - 1]])[0])
        empty.leave(0)
    assert all(torch.equal(found[place], logits) for place, logits in enumerate(expected))
    assert torch.equal(torch.stack(steps), follow(empty, row, ids[: len(steps) - 1]))


def test_what_was_read_with_the_last_step_is_told_though_the_rows_have_left(empty: Batch) -> None:
    prompt = make_ids(3)
    with torch.inference_mode():
        empty.join(read_prompt(empty, make_ids(5))[0])
        prefill = empty.begin(prompt)
        assert empty.read([prefill], 4) == [None]
        empty.step([7])
        empty.leave(0)
        (logits,) = empty.read([prefill], 4)
    assert logits is not None
    assert torch.equal(logits, read_prompt(empty, prompt)[1])


def test_a_prompt_gives_the_same_read_at_once_and_token_by_token(empty: Batch) -> None:
    ids = make_ids(600)
    assert torch.equal(read_prompt(empty, ids)[1], follow(empty, ids[:1], ids[1:])[-1])


def test_the_number_of_threads_changes_nothing(empty: Batch, file: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    others = load_llama(file).new_batch()
    torch.set_num_threads(before)
    for length in (1, 40, 300):
        prompt, ids = make_ids(length), make_ids(5, seed=1)
        assert torch.equal(follow(empty, prompt, ids), follow(others, prompt, ids))


def test_an_empty_batch_that_was_full_is_as_good_as_new(empty: Batch, file: Path) -> None:
    follow_together(empty, [Plan(length, 0, 3) for length in (600, 1100, 3)])
    new = load_llama(file).new_batch()
    assert isinstance(new, LlamaBatch)
    assert torch.equal(follow(empty, make_ids(70), [1, 2]), follow(new, make_ids(70), [1, 2]))


@pytest.fixture(scope="module")
def model(file: Path) -> Model:
    return load_model(Settings(model_id=str(file), dtype="stored", device="cpu"), lambda loading: None)


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
