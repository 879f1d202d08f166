"""The program for curl."""

import json

import pytest

from tests.clients.programs import Program
from tests.clients.serving import Served


@pytest.mark.snippet("curl")
def test_curl_prints_each_token_as_its_own_event_and_then_the_whole_text(ran: Program, served: Served) -> None:
    *events, end = ran.text.split("\n\n")
    assert end == ""
    told = [json.loads(event.removeprefix("data: ")) for event in events]
    expected = served.generate("What is Deep Learning?", max_new_tokens=20)
    assert "".join(event["token"]["text"] for event in told) == expected
    assert [event["generated_text"] for event in told] == [None] * 19 + [expected]
    assert len(ran.pieces) > 1
