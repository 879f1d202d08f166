"""Slots in buffers that never move hold exactly what a table of sequences would, and hide everything else."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.engines.local.runners.transformers.cuda_graphs.static_kv import StaticCache, StaticLayer
from demo.engines.local.runners.transformers.padded_kv import RowsCache, RowsLayer

HEADS, SIZE, SLOTS, COLUMNS = 2, 3, 4, 24

# Operations: a row of some length joins, all rows get a column, one leaves, or is parked and joins again.
happenings = st.lists(
    st.one_of(
        st.tuples(st.just("join"), st.integers(1, COLUMNS // 2)),
        st.tuples(st.just("grow"), st.integers(1, 5)),
        st.tuples(st.just("leave"), st.integers(0, 10)),
        st.tuples(st.just("park"), st.integers(0, 10)),
    ),
    max_size=30,
)


def read_prompt(columns: torch.Tensor) -> list[RowsLayer]:
    """The layers of a prompt whose keys are `columns` [1, heads, length, size] and whose values are their negatives."""
    cache = RowsCache()
    cache.update(columns, -columns, layer_idx=0)
    return list(cache.filled())


def make_cache() -> StaticCache:
    return StaticCache(SLOTS, COLUMNS, read_prompt(torch.zeros(1, HEADS, 1, SIZE)))


def grow(cache: StaticCache) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """One step of random columns: the new column of every row, what each sees, and what is hidden from it."""
    new = torch.randn(SLOTS, HEADS, 1, SIZE)
    cache.choose(frozenset(cache.lengths))
    mask = cache.state.make_mask(torch.float32)
    keys, values = cache.update(new, -new, layer_idx=0)
    torch.testing.assert_close(values, -keys, rtol=0, atol=0, equal_nan=True)
    cache.state.advance()
    cache.grow()
    return new, keys, mask[:, 0, 0] != 0


@settings(max_examples=30)
@given(happenings)
def test_slots_hold_what_a_table_of_sequences_would(happenings: list[tuple[str, int]]) -> None:
    cache, rows = make_cache(), dict[int, torch.Tensor]()
    place = first_keys(cache).data_ptr()
    for what, number in happenings:
        if what == "join" and len(rows) < SLOTS:
            columns = torch.randn(1, HEADS, number, SIZE)
            rows[cache.join(read_prompt(columns), number)] = columns[0]
        elif what in ("leave", "park") and rows:
            slot = sorted(rows)[number % len(rows)]
            length = cache.lengths[slot]
            cache.leave(slot)
            copy = cache.copy_columns(slot, length)
            gone = rows.pop(slot)
            if what == "park":
                rows[cache.join(list(copy.filled()), length)] = gone
        elif what == "grow" and max((row.shape[1] for row in rows.values()), default=COLUMNS) + number <= COLUMNS:
            for _ in range(number):
                new, keys, hidden = grow(cache)
                rows = {slot: torch.cat([row, new[slot]], dim=1) for slot, row in rows.items()}
                for slot, expected in rows.items():
                    assert torch.equal(keys[slot, :, ~hidden[slot]], expected)
        assert cache.lengths == {slot: row.shape[1] for slot, row in rows.items()}
    assert place == first_keys(cache).data_ptr()


def first_keys(cache: StaticCache) -> torch.Tensor:
    layer = cache.layers[0]
    assert isinstance(layer, StaticLayer)
    return layer.keys


def test_the_content_of_a_row_is_erased_when_another_takes_its_slot() -> None:
    cache = make_cache()
    cache.join(read_prompt(torch.full((1, HEADS, 9, SIZE), torch.nan)), 9)
    grow(cache)
    cache.leave(0)
    cache.join(read_prompt(torch.ones(1, HEADS, 2, SIZE)), 2)
    assert first_keys(cache)[0].isfinite().all()


def test_the_column_of_padding_is_erased_when_another_row_takes_the_slot() -> None:
    cache = make_cache()
    for _ in range(2):
        cache.join(read_prompt(torch.ones(1, HEADS, 3, SIZE)), 3)
    cache.choose(frozenset([0]))
    cache.update(torch.full((SLOTS, HEADS, 1, SIZE), torch.nan), torch.zeros(SLOTS, HEADS, 1, SIZE), layer_idx=0)
    cache.leave(1)
    assert cache.join(read_prompt(torch.ones(1, HEADS, 2, SIZE)), 2) == 1
    assert first_keys(cache)[1].isfinite().all()


def test_to_leave_a_slot_copies_nothing() -> None:
    cache = make_cache()
    for length in (2, 5, 3):
        cache.join(read_prompt(torch.randn(1, HEADS, length, SIZE)), length)
    before = first_keys(cache).clone()
    cache.leave(0)
    assert torch.equal(first_keys(cache), before)
    assert cache.lengths == {1: 5, 2: 3}
    assert cache.join(read_prompt(torch.zeros(1, HEADS, 4, SIZE)), 4) == 0


def test_a_slot_that_has_been_left_still_holds_its_tokens_whatever_steps_write_as_padding() -> None:
    cache, columns = make_cache(), torch.randn(1, HEADS, 5, SIZE)
    for length in (5, 2):
        cache.join(read_prompt(columns[:, :, :length]), length)
    cache.leave(0)
    for _ in range(3):
        grow(cache)
    assert cache.state.positions.tolist() == [5, 5, 0, 0]
    (kept,) = cache.copy_columns(0, 5).filled()
    assert torch.equal(kept.keys[:, :, kept.start : kept.end], columns)


def test_a_narrower_state_shows_fewer_slots_and_columns() -> None:
    cache = make_cache()
    cache.join(read_prompt(torch.ones(1, HEADS, 2, SIZE)), 2)
    cache.state.narrow(1, 8)
    keys, _ = cache.update(torch.ones(1, HEADS, 1, SIZE), -torch.ones(1, HEADS, 1, SIZE), layer_idx=0)
    assert keys.shape == (1, HEADS, 8, SIZE)
    assert cache.state.make_mask(torch.float32).tolist() == [[[[0.0] * 3 + [-torch.inf] * 5]]]
