"""Rows that join, grow and leave hold exactly what a list of sequences would."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from demo.engine.cache import ROOM, RowsCache, RowsLayer

HEADS, SIZE = 2, 3

# What happens to the rows: one of some length joins, all grow by one column, or one leaves.
happenings = st.lists(
    st.one_of(
        st.tuples(st.just("join"), st.integers(1, 3 * ROOM)),
        st.tuples(st.just("grow"), st.integers(1, ROOM)),
        st.tuples(st.just("leave"), st.integers(0, 10)),
    ),
    max_size=20,
)


def random_columns(rows: int, columns: int) -> torch.Tensor:
    return torch.randn(rows, HEADS, columns, SIZE)


def append(cache: RowsCache, columns: torch.Tensor) -> torch.Tensor:
    keys, values = cache.update(columns, -columns, layer_idx=0)
    assert torch.equal(values, -keys)
    return keys


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


def test_padding_holds_numbers() -> None:
    layer, other = RowsLayer(), RowsLayer()
    layer.update(random_columns(1, 9), random_columns(1, 9))
    other.update(random_columns(1, 2), random_columns(1, 2))
    layer.join(other)
    assert layer.keys.isfinite().all()
    assert layer.values.isfinite().all()


def test_appending_a_column_moves_nothing_until_the_room_is_full() -> None:
    layer = RowsLayer()
    layer.update(random_columns(1, 1), random_columns(1, 1))
    places = set()
    for _ in range(1000):
        layer.update(random_columns(1, 1), random_columns(1, 1))
        places.add((layer.keys.data_ptr(), layer.keys.shape[2]))
    assert len(places) < 8
