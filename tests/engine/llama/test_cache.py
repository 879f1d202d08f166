"""Rows take the room that they need and give it back."""

from demo.engine.llama.cache import FIRST_COLUMNS, Rows
from demo.engine.llama.network import Shape

SHAPE = Shape(layers=2, hidden=8, mlp=16, vocabulary=32, heads=2, kv_heads=1, head_size=4, context=4096, epsilon=1e-5)


def take_bytes(rows: Rows) -> int:
    return rows.memory.untyped_storage().nbytes()


def test_the_room_that_long_rows_took_goes_with_the_last_of_them() -> None:
    rows = Rows(SHAPE)
    before = take_bytes(rows)
    for length in (4 * FIRST_COLUMNS, 3):
        prompt = Rows(SHAPE)
        prompt.reserve(1, length)
        prompt.lengths = [length]
        rows.join(prompt)
    assert take_bytes(rows) >= 8 * before
    rows.leave(0)
    assert rows.lengths == [3]
    rows.leave(0)
    assert take_bytes(rows) == before
