"""The key of a client: the same for the same one, another for any other, and nothing to be read in it."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.client_key import find_address_key, make_client_key

ADDRESS = "192.0.2.7"


def test_the_same_client_has_the_same_key_and_no_two_share_one() -> None:
    clients = [(ADDRESS, "session", ""), (ADDRESS, "key", ""), (ADDRESS, "address", ""), ("", "key", ADDRESS)]
    keys = [make_client_key(address, kind, name) for address, kind, name in clients]  # type: ignore[arg-type]
    assert keys == [make_client_key(address, kind, name) for address, kind, name in clients]  # type: ignore[arg-type]
    assert all(one != other for one, other in combinations(keys, 2))


def test_clients_of_one_address_can_be_told_from_those_of_another() -> None:
    here = {find_address_key(make_client_key(ADDRESS, "key", name)) for name in ("one", "other")}
    assert len(here) == 1
    assert here != {find_address_key(make_client_key("192.0.2.8", "key", "one"))}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::7", "2001:db8::ffff:1:2:3", True),  # whoever has a network of IPv6 has 2 ** 64 addresses
        ("2001:db8::7", "2001:db8:0:1::7", False),
        ("192.0.2.7", "::ffff:192.0.2.7", True),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.8", False),
        ("unix:", "", False),
    ],
)
def test_a_client_cannot_choose_its_network(one: str, other: str, same: bool) -> None:
    keys = {find_address_key(make_client_key(address, "address")) for address in (one, other)}
    assert (len(keys) == 1) == same


@given(st.text(), st.text())
def test_a_key_is_short_and_names_its_kind_alone(address: str, name: str) -> None:
    kind, _, digest = make_client_key(address, "key", name).partition("/")[2].partition(":")
    assert (kind, len(digest)) == ("key", 32)
    assert set(digest) <= set("0123456789abcdef")
