"""A step over static buffers gives what the general path gives, in the smallest recorded size that fits."""

import pytest
import torch

from demo.engines.local.runner import Runner
from demo.engines.local.runners.transformers.cuda_graphs.capture import GraphCapturer
from demo.engines.local.runners.transformers.cuda_graphs.decode import FIRST_COLUMNS, Step, list_columns, list_sizes
from demo.engines.local.runners.transformers.cuda_graphs.prefill import PromptReader
from demo.engines.local.runners.transformers.cuda_graphs.runner import CapturedBatch
from demo.engines.local.runners.transformers.cuda_graphs.static_kv import StaticCache
from demo.engines.local.runners.transformers.eager import SharedBatch
from demo.engines.local.runners.transformers.forward import Forward
from demo.engines.local.runners.transformers.padded_kv import RowsCache
from tests.engines.local.tiny import make_network

COLUMNS = 400
ROWS = 3


def make_batches(
    recorded: tuple[int, ...] = (1, 2, 4), backend: str | None = None
) -> tuple[SharedBatch, CapturedBatch, Step]:
    network = make_network()
    forward, cache = Forward(network), RowsCache()
    forward(torch.tensor([[1]]), cache, [0])
    step = Step(network, StaticCache(ROWS, COLUMNS, cache.filled()), backend)
    list(step.record(GraphCapturer(network.device), recorded))
    return SharedBatch(forward), CapturedBatch(PromptReader(network), step), step


def join(batch: Runner, length: int) -> None:
    prefill = batch.begin([1 + place % 200 for place in range(length)])
    prefill.read(length)
    batch.join(prefill)


@pytest.mark.parametrize("recorded", [(1, 2, 4), (64,), ()], ids=["sizes", "one size", "unrecorded"])
@torch.inference_mode()
def test_steps_equal_the_general_paths_while_rows_join_and_leave(recorded: tuple[int, ...]) -> None:
    general, captured, _ = make_batches(recorded)
    for happening in (5, 250, None, 3, None, 0, None, 7, 0, None):
        for batch in (general, captured):
            if happening:
                join(batch, happening)
            elif happening == 0:
                batch.leave(0)
        rows = len(captured._cache.lengths)
        for id in range(4):
            ids = [id + row for row in range(rows)]
            torch.testing.assert_close(captured.step(ids), general.step(ids))


@torch.inference_mode()
def test_torch_compile_makes_two_programs_for_all_sizes_one_for_a_single_row() -> None:
    # aot_eager traces as inductor does, and needs no compiler of C++ where the tests run.
    general, captured, step = make_batches(backend="aot_eager")
    torch._dynamo.utils.counters.clear()
    for length in (5, 300, 9):
        for batch in (general, captured):
            join(batch, length)
        ids = list(range(len(step.cache.lengths)))
        torch.testing.assert_close(captured.step(ids), general.step(ids))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 2


@torch.inference_mode()
def test_ids_that_stay_on_the_device_give_the_same_step() -> None:
    _, here, _ = make_batches()
    _, there, _ = make_batches()
    for batch in (here, there):
        join(batch, 5)
        join(batch, 9)
    assert torch.equal(here.step([3, 4]), there.follow(torch.tensor([3, 4])))


@torch.inference_mode()
def test_the_smallest_recorded_size_that_fits_is_taken() -> None:
    _, captured, step = make_batches()
    window = step.cache.window
    join(captured, 5)
    captured.step([1])
    assert (len(window.rows), len(window.columns)) == (1, FIRST_COLUMNS)
    join(captured, FIRST_COLUMNS)
    captured.step([1, 1])
    assert (len(window.rows), len(window.columns)) == (2, COLUMNS)
    join(captured, 5)
    captured.step([1, 1, 1])
    assert (len(window.rows), len(window.columns)) == (ROWS, COLUMNS)


def test_sizes_are_those_asked_for_that_the_cache_has_room_for() -> None:
    _, _, step = make_batches()
    expected = [(rows, columns) for rows in (1, 2, ROWS) for columns in (FIRST_COLUMNS, COLUMNS)]
    assert sorted(list_sizes((1, 2, 4, 8), step.cache)) == expected
    assert list_columns(4096) == [256, 512, 1024, 2048, 4096]
    assert list_columns(256) == [256]
    assert list_columns(100) == [100]
    assert list_columns(1000) == [256, 512, 1000]


@torch.inference_mode()
def test_a_row_beyond_the_room_is_refused_with_the_numbers() -> None:
    _, captured, _ = make_batches()
    join(captured, COLUMNS)
    with pytest.raises(ValueError, match=f"a row of {COLUMNS + 1} tokens does not fit into {COLUMNS} columns"):
        captured.step([1])


@torch.inference_mode()
def test_an_empty_batch_over_a_used_cache_knows_nothing_of_it() -> None:
    general, captured, step = make_batches()
    join(captured, 30)
    captured.step([1])
    again = CapturedBatch(captured._reader, step)
    for batch in (general, again):
        join(batch, 4)
    torch.testing.assert_close(again.step([1]), general.step([1]))
