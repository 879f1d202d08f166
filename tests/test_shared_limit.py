"""A limit that clients share, and how it is shared where there are few places."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.shared_limit import ALONE_SECONDS, FEW, SharedLimit


def take_all(places: SharedLimit, client: str) -> int:
    """How many more places the client gets."""
    taken = 0
    while places.take(client):
        taken += 1
    return taken


@pytest.mark.parametrize(("limit", "most"), [(1, 1), (2, 2), (3, 3), (4, 4), (5, 4), (8, 4), (9, 5), (64, 32)])
def test_a_client_alone_has_four_choices_of_a_request_where_there_are_four_places(limit: int, most: int) -> None:
    assert take_all(SharedLimit(limit), "a") == SharedLimit(limit).count_most() == most
    assert take_all(SharedLimit(limit, per_free=3), "a") == SharedLimit(limit, per_free=3).count_most() >= most


@pytest.mark.parametrize(("limit", "first", "second"), [(1, 1, 0), (2, 1, 1), (4, 2, 1), (8, 4, 2), (64, 32, 16)])
def test_two_clients_that_come_together_share_few_places_as_they_share_many(
    limit: int, first: int, second: int
) -> None:
    places = SharedLimit(limit, clock=lambda: 100.0)
    places.note("b")
    assert (take_all(places, "a"), take_all(places, "b")) == (first, second)


@pytest.mark.parametrize("limit", [2, 3, 4, 8])
def test_who_finds_a_client_alone_on_all_places_gets_the_next_that_is_free(limit: int) -> None:
    places = SharedLimit(limit, clock=lambda: 100.0)
    held = take_all(places, "greedy")
    assert places.take("other") == (held < limit)
    if held == limit:
        places.give_back("greedy")
        assert not places.take("greedy")
        assert places.take("other")


def test_a_client_is_alone_again_when_the_other_has_not_come_for_a_while() -> None:
    now = [100.0]
    places = SharedLimit(4, clock=lambda: now[0])
    places.note("other")
    assert take_all(places, "a") == 2
    now[0] += ALONE_SECONDS / 2
    assert not places.take("a")
    now[0] += ALONE_SECONDS / 2 + 1
    assert take_all(places, "a") == 2  # its own refusals did not count


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=60), st.integers(1, 12))
def test_no_more_places_are_taken_than_there_are_and_with_others_nobody_has_more_than_half(
    steps: list[tuple[str, bool]], limit: int
) -> None:
    places = SharedLimit(limit, clock=lambda: 100.0)
    for client, comes in steps:
        before = places.taken
        if comes and places.take(client):
            shares = places.taken > places.count(client)
            assert not shares or places.count(client) <= (limit + 1) // 2
        elif not comes and places.count(client):
            places.give_back(client)
        assert 0 <= places.taken <= limit
        assert abs(places.taken - before) <= 1
    assert places.taken == sum(map(places.count, "abc"))


def test_many_places_are_shared_as_if_nobody_were_ever_alone() -> None:
    assert take_all(SharedLimit(2 * FEW), "a") == FEW
