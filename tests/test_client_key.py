"""The key of a client: the same for the same one, another for any other; and what of an address it cannot choose."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.address import find_network, is_loopback, parse_address
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
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),  # whoever has a network of IPv6 has 2 ** 64 addresses
        ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
        ("unix:", "unix:"),
    ],
)
def test_a_client_cannot_choose_its_network(address: str, network: str) -> None:
    assert find_network(address) == network
    one, other = (find_address_key(make_client_key(each, "address")) for each in (address, network))
    assert one == other


@pytest.mark.parametrize(
    ("text", "is_ours"),
    [
        *[(text, True) for text in ("127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1")],
        *[
            (text, False)
            for text in ("", "10.0.0.1", "::ffff:10.0.0.1", "0.0.0.0", "::", "localhost", "127.0.0.1, ::1")
        ],
    ],
)
def test_the_loopback_is_known_in_every_form_and_is_what_no_other_machine_has(text: str, is_ours: bool) -> None:
    assert is_loopback(text) == is_ours


def test_an_address_of_ipv4_that_is_written_as_one_of_ipv6_is_the_same() -> None:
    assert parse_address("::ffff:192.0.2.7") == parse_address("192.0.2.7")
    assert parse_address("unix:") is None


@given(st.text(), st.text())
def test_a_key_is_short_and_names_its_kind_alone(address: str, name: str) -> None:
    kind, _, digest = make_client_key(address, "key", name).partition("/")[2].partition(":")
    assert (kind, len(digest)) == ("key", 32)
    assert set(digest) <= set("0123456789abcdef")
