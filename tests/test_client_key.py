"""The key of a client: the same for the same one, another for any other, and nothing to be read in it."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from demo.client_key import make_client_key

ADDRESS = "192.0.2.7"


def test_the_same_client_has_the_same_key_and_no_two_share_one() -> None:
    clients = [("session", ADDRESS), ("key", ADDRESS), ("address", ADDRESS), ("key", "", ADDRESS), ("key", ADDRESS, "")]
    keys = [make_client_key(kind, *parts) for kind, *parts in clients]  # type: ignore[arg-type]
    assert keys == [make_client_key(kind, *parts) for kind, *parts in clients]  # type: ignore[arg-type]
    assert all(one != other for one, other in combinations(keys, 2))


@given(st.text(), st.text())
def test_a_key_is_short_and_names_its_kind_alone(one: str, other: str) -> None:
    kind, _, digest = make_client_key("key", one, other).partition(":")
    assert (kind, len(digest)) == ("key", 32)
    assert set(digest) <= set("0123456789abcdef")
