"""Rows that join, grow and leave hold exactly what a list of sequences would."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.engines.local.runners.transformers.padded_kv import MIN_FREE, RowsCache, RowsLayer

HEADS, SIZE = 2, 3

# Operations: a row of some length joins, all rows grow, one leaves, or is parked and joins again.
happenings = st.lists(
    st.one_of(
        st.tuples(st.just("join"), st.integers(1, 3 * MIN_FREE)),
        st.tuples(st.just("grow"), st.integers(1, MIN_FREE)),
        st.tuples(st.just("leave"), st.integers(0, 10)),
        st.tuples(st.just("park"), st.integers(0, 10)),
    ),
    max_size=20,
)


def random_columns(rows: int, columns: int) -> torch.Tensor:
    return torch.randn(rows, HEADS, columns, SIZE)


def append(cache: RowsCache, columns: torch.Tensor) -> torch.Tensor:
    keys, values = cache.update(columns, -columns, layer_idx=0)
    assert torch.equal(values, -keys)
    return keys


@settings(max_examples=40)
@given(happenings)
def test_rows_are_what_a_list_of_sequences_would_be(happenings: list[tuple[str, int]]) -> None:
    cache, rows = RowsCache(), list[torch.Tensor]()
    for what, number in happenings:
        if what == "join":
            joining, columns = RowsCache(), random_columns(1, number)
            append(joining, columns)
            cache.join(joining, number)
            rows.append(columns[0])
        elif what == "leave" and rows:
            row = number % len(rows)
            cache.leave(row)
            last = rows.pop()
            if row < len(rows):
                rows[row] = last
        elif what == "park" and rows:
            row = number % len(rows)
            parked = cache.park(row)
            gone, last = rows[row], rows.pop()
            if row < len(rows):
                rows[row] = last
            cache.join(parked, parked.lengths[0])
            rows.append(gone)
        elif what == "grow" and rows:
            columns = random_columns(len(rows), number)
            keys = append(cache, columns)
            cache.grow(number)
            rows = [torch.cat([row, more], dim=1) for row, more in zip(rows, columns, strict=True)]
            assert all(torch.equal(key[:, -row.shape[1] :], row) for key, row in zip(keys, rows, strict=True))
        assert cache.lengths == [row.shape[1] for row in rows]
        assert cache.get_seq_length() == max(cache.lengths, default=0)


def test_padding_is_masked_and_only_padding() -> None:
    cache = RowsCache()
    cache.lengths = [3, 1]
    mask = cache.padding_mask(new=1)
    assert mask is not None
    assert mask.tolist() == [[1, 1, 1, 1], [0, 0, 1, 1]]
    cache.lengths = [3, 3]
    assert cache.padding_mask(new=1) is None


def test_padding_is_finite() -> None:
    cache, other = RowsCache(), RowsCache()
    append(cache, random_columns(1, 9))
    append(other, random_columns(1, 2))
    cache.lengths = [9]
    cache.join(other, 2)
    keys, values = buffers(cache)
    assert keys.isfinite().all()
    assert values.isfinite().all()


def test_a_row_of_nan_leaves_nothing_in_the_padding_of_a_new_row() -> None:
    cache = RowsCache()
    for columns in (random_columns(1, 9), torch.full((1, HEADS, 9, SIZE), torch.nan), random_columns(1, 9)):
        joining = RowsCache()
        joining.update(columns, -columns, layer_idx=0)
        cache.join(joining, 9)
    cache.leave(1)
    cache.leave(1)
    new = RowsCache()
    append(new, random_columns(1, 2))
    cache.join(new, 2)
    assert append(cache, random_columns(2, 1)).isfinite().all()


def test_appending_a_column_moves_nothing_while_there_are_free_columns() -> None:
    cache, places = RowsCache(), set()
    for _ in range(1000):
        append(cache, random_columns(1, 1))
        places.add(buffers(cache)[0].data_ptr())
    assert len(places) < 8


def buffers(cache: RowsCache) -> tuple[torch.Tensor, torch.Tensor]:
    """The first layer's keys and values with the room around them."""
    layer = cache.layers[0]
    assert isinstance(layer, RowsLayer)
    return layer.keys, layer.values
