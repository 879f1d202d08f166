"""Addresses as text: what they are, and which part of them a client cannot choose."""

import pytest

from demo.address import find_network, is_loopback, parse_address


@pytest.mark.parametrize("text", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"])
def test_the_loopback_is_known_in_every_form(text: str) -> None:
    assert is_loopback(text)


@pytest.mark.parametrize(
    "text", ["", "10.0.0.1", "::ffff:10.0.0.1", "0.0.0.0", "::", "localhost", "127.0.0.1, 10.0.0.1"]
)
def test_what_another_machine_can_have_is_not_the_loopback(text: str) -> None:
    assert not is_loopback(text)


def test_an_ipv4_address_written_as_ipv6_is_that_ipv4_address() -> None:
    assert parse_address("::ffff:192.0.2.7") == parse_address("192.0.2.7")
    assert find_network("::ffff:192.0.2.7") == "192.0.2.7"


def test_the_network_of_an_ipv6_address_is_its_first_half() -> None:
    assert find_network("2001:db8:1:2:3:4:5:6") == find_network("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert find_network("2001:db8:1:3::9") != find_network("2001:db8:1:2::9")


def test_what_is_no_address_is_kept() -> None:
    assert parse_address("unix:") is None
    assert find_network("unix:") == "unix:"
