"""Who runs the server: what the page shows its button to."""

import pytest

from demo.access import read_access
from demo.operator import may_operate_page
from demo.settings import Settings

KEY, PASSWORD = "secret-key", "pass-word"


@pytest.mark.parametrize(
    ("settings", "here", "elsewhere"),
    [
        (Settings(), True, False),
        (Settings(api_key=KEY), True, True),  # the page has asked for the key
        (Settings(page_password=PASSWORD), True, True),  # which is the key too
        (Settings(api_key=KEY, page_password=PASSWORD), False, False),
        (Settings(api_key=KEY, open_page=True), False, False),
    ],
)
def test_a_visitor_of_the_page_may_where_it_has_given_the_key_or_is_on_this_machine(
    settings: Settings, here: bool, elsewhere: bool
) -> None:
    access = read_access(settings)
    assert may_operate_page(access, "127.0.0.1", ["host"]) == here
    assert may_operate_page(access, "192.0.2.7", ["host"]) == elsewhere
    if not settings.api_key and not settings.page_password:
        assert not may_operate_page(access, "127.0.0.1", ["Host", "X-Forwarded-For"])
