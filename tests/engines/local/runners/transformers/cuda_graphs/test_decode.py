"""A step over static buffers gives what a cache-less forward gives, in the smallest captured size that fits."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from demo.engines.local.runners.transformers.cuda_graphs.capture import GraphCapturer
from demo.engines.local.runners.transformers.cuda_graphs.decode import (
    FIRST_COLUMNS,
    Backend,
    Step,
    list_columns,
    list_sizes,
    order_sizes,
)
from demo.engines.local.runners.transformers.cuda_graphs.static_kv import StaticCache
from demo.engines.local.runners.transformers.forward import Forward
from demo.engines.local.runners.transformers.padded_kv import RowsCache
from tests.engines.local.tiny import make_network

COLUMNS = 400
SLOTS = 3


@dataclass
class Sequences:
    """Sequences in the slots of a step, and all their ids."""

    step: Step
    network: PreTrainedModel
    ids: dict[int, list[int]] = field(default_factory=dict)

    def join(self, length: int) -> int:
        prompt, cache = [1 + place % 200 for place in range(length)], RowsCache()
        Forward(self.network)(torch.tensor([prompt]), cache, [0])
        slot = self.step.cache.join(cache.filled(), length)
        self.ids[slot] = prompt
        return slot

    def leave(self, slot: int) -> None:
        self.step.cache.leave(slot)
        del self.ids[slot]

    def advance(self, *slots: int) -> Tensor:
        """A step with an id for each of the slots."""
        ids = torch.zeros(SLOTS, dtype=torch.long)
        for slot in slots:
            ids[slot] = 3 + slot
            self.ids[slot].append(3 + slot)
        return self.step(slots, ids)

    def check(self, *slots: int) -> None:
        """Advance, and compare with the whole sequences computed again."""
        logits = self.advance(*slots)
        for slot in slots:
            expected = self.network(input_ids=torch.tensor([self.ids[slot]]), use_cache=False).logits[0, -1]
            torch.testing.assert_close(logits[slot], expected)


def make_sequences(captured: tuple[int, ...] = (1, 2, 4), backend: Backend | None = None) -> Sequences:
    network = make_network()
    cache = RowsCache()
    Forward(network)(torch.tensor([[1]]), cache, [0])
    step = Step(network, StaticCache(SLOTS, COLUMNS, cache.filled()), backend)
    list(step.capture(GraphCapturer(network.device), captured))
    return Sequences(step, network)


@pytest.mark.parametrize("captured", [(1, 2, 4), (64,), ()], ids=["sizes", "one size", "none"])
@torch.inference_mode()
def test_steps_equal_a_forward_over_all_while_rows_join_and_leave(captured: tuple[int, ...]) -> None:
    rows = make_sequences(captured)
    rows.join(5)
    rows.check(0)
    rows.join(255)
    rows.join(3)
    for _ in range(3):
        rows.check(0, 1, 2)
    rows.leave(1)
    rows.check(2, 0)
    rows.leave(0)
    rows.check(2)
    assert rows.join(7) == 0
    rows.check(0, 2)


@torch.inference_mode()
def test_a_slot_that_a_step_leaves_out_is_unchanged() -> None:
    rows = make_sequences()
    for length in (4, 9):
        rows.join(length)
    rows.check(0, 1)
    for _ in range(3):
        rows.check(1)
    rows.check(0)
    rows.check(0, 1)


@torch.inference_mode()
def test_torch_compile_makes_two_programs_for_all_sizes_which_do_not_repeat_keys_and_values() -> None:
    programs: list[torch.fx.GraphModule] = []

    def compile_traced(program: torch.fx.GraphModule, inputs: list[Any]) -> Callable[..., Any]:
        programs.append(program)
        # It traces as inductor does, and needs no compiler of C++ where the tests run.
        compiled: Callable[..., Any] = torch._dynamo.lookup_backend("aot_eager")(program, inputs)
        return compiled

    rows = make_sequences(backend=compile_traced)
    for length in (5, 300, 9):
        rows.join(length)
        rows.check(*rows.ids)
    assert len(programs) == 2  # one for a single row
    groups = rows.network.config.num_key_value_heads
    assert groups < rows.network.config.num_attention_heads
    for program in programs:
        attended = program.graph.find_nodes(op="call_function", target=torch._C._nn.scaled_dot_product_attention)
        assert [node.args[1].meta["example_value"].shape[1] for node in attended] == [groups] * 2
    assert rows.network.config._attn_implementation == "sdpa"


@torch.inference_mode()
def test_a_step_without_ids_appends_those_of_the_slots() -> None:
    given, fed = make_sequences(), make_sequences()
    for rows in (given, fed):
        rows.join(5)
        rows.join(9)
    fed.step.cache.state.feed(torch.tensor([3, 4]))
    assert torch.equal(given.advance(0, 1), fed.step([0, 1]))


@torch.inference_mode()
def test_the_smallest_captured_size_that_fits_is_taken() -> None:
    rows = make_sequences()
    state = rows.step.cache.state
    rows.join(5)
    rows.advance(0)
    assert (len(state.rows), len(state.columns)) == (1, FIRST_COLUMNS)
    rows.join(FIRST_COLUMNS)
    rows.advance(0, 1)
    assert (len(state.rows), len(state.columns)) == (2, COLUMNS)
    rows.join(5)
    rows.advance(2)
    assert (len(state.rows), len(state.columns)) == (SLOTS, FIRST_COLUMNS)


def test_sizes_are_those_asked_for_that_the_cache_has_slots_for() -> None:
    expected = [(rows, columns) for rows in (1, 2, SLOTS) for columns in (FIRST_COLUMNS, COLUMNS)]
    assert sorted(list_sizes((1, 2, 4, 8), make_sequences().step.cache)) == expected
    assert list_columns(4096) == [256, 512, 1024, 2048, 4096]
    assert list_columns(256) == [256]
    assert list_columns(100) == [100]
    assert list_columns(1000) == [256, 512, 1000]


def test_the_smallest_size_is_captured_first_and_then_from_the_largest_down() -> None:
    assert order_sizes([(1, 256), (2, 400), (1, 400), (2, 256)]) == [(1, 256), (2, 400), (2, 256), (1, 400)]
    assert order_sizes([(1, 100)]) == [(1, 100)]
    assert order_sizes([]) == []


@torch.inference_mode()
def test_a_row_beyond_the_columns_is_refused_with_the_numbers() -> None:
    rows = make_sequences()
    rows.join(COLUMNS)
    with pytest.raises(ValueError, match=f"a row of {COLUMNS + 1} tokens does not fit into {COLUMNS} columns"):
        rows.advance(0)


@torch.inference_mode()
def test_a_cleared_cache_shows_nothing_of_its_old_content() -> None:
    rows = make_sequences()
    rows.join(30)
    rows.advance(0)
    rows.step.cache.clear()
    rows.ids.clear()
    assert rows.join(4) == 0
    rows.check(0)
