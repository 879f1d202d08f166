"""The stand-in for CUDA graphs finds the faults that a graph would make, and lets pass what a graph would do right."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.engines.local.runners.transformers.cuda_graphs.stand_in import StandInCapturer


def test_a_launch_repeats_the_operations_without_their_python_on_the_same_memory() -> None:
    calls, source = list[int](), torch.tensor([1.0, 2.0])

    def compute() -> Tensor:
        calls.append(1)
        return (source * 2)[1:] + 1

    launch = StandInCapturer().capture(compute)
    first = launch()
    assert first.tolist() == [5.0]
    source.copy_(torch.tensor([3.0, 4.0]))
    assert launch() is first
    assert first.tolist() == [9.0]
    assert len(calls) == 2


def test_capturing_changes_no_earlier_memory_except_by_the_warm_up() -> None:
    count = torch.zeros(1)
    launch = StandInCapturer().capture(lambda: count.add_(1))
    assert count.tolist() == [1.0]
    launch()
    assert count.tolist() == [2.0]


@torch.inference_mode()
def test_float_of_float32_is_written_over_by_the_next_launch_and_a_clone_is_not() -> None:
    source = torch.ones(2)
    launch = StandInCapturer().capture(lambda: source + 1)
    alias, copy = launch().float(), launch().float().clone()
    source.fill_(5)
    launch()
    assert (alias.tolist(), copy.tolist()) == ([6.0, 6.0], [2.0, 2.0])


def test_memory_without_references_is_spoiled_in_all_graphs_of_the_pool() -> None:
    capturer, source, kept = StandInCapturer(), torch.ones(2), list[Tensor]()

    def make() -> Tensor:
        kept[:] = [source + 1]
        return source * 2

    made = capturer.capture(make)
    used = capturer.capture(lambda: kept[0] + 1)
    assert used().tolist() == [3.0, 3.0]
    kept.clear()
    made()
    assert used().isnan().all()


def test_an_input_without_references_is_spoiled() -> None:
    inputs = [torch.ones(2)]
    launch = StandInCapturer().capture(lambda: inputs[0] + 1)
    inputs.clear()
    launch()
    assert launch().isnan().all()


MASK = torch.tensor([True, False])
NUMBERS = torch.tensor([1.0, 2.0])


@pytest.mark.parametrize(
    "compute",
    [
        NUMBERS[0].item,
        lambda: NUMBERS[MASK],
        MASK.nonzero,
        lambda: bool(MASK.any()),
        lambda: torch.where(MASK, 0.0, NUMBERS),
        lambda: NUMBERS + torch.tensor([1.0, 2.0]),
    ],
    ids=["item", "mask", "nonzero", "branch", "where with a number", "upload"],
)
@torch.inference_mode()
def test_what_waits_for_a_result_is_refused(compute: Callable[[], object]) -> None:
    with pytest.raises(RuntimeError, match="not permitted when a stream is capturing"):
        StandInCapturer().capture(compute)
