"""--max-ttft: a request whose first token would come too late is refused, in the words that help."""

import pytest

from demo.engines.local.late_requests import refuse_late
from demo.errors import BadRequest, Overloaded


def test_a_prediction_beyond_the_bound_is_overloaded_for_as_long_as_it_is_beyond() -> None:
    with pytest.raises(Overloaded, match=r"come in about 3.2 s, and 1 s are allowed .*in about 2.2 s") as refusal:
        refuse_late(3.2, 0.1, 1.0, 50)
    assert refusal.value.retry_after == pytest.approx(2.2)


def test_a_prompt_that_takes_too_long_even_alone_is_invalid() -> None:
    with pytest.raises(BadRequest, match=r"Reading the prompt's 5000 tokens takes about 2.5 s here"):
        refuse_late(3.0, 2.5, 1.0, 5000)


def test_an_idle_engine_refuses_nothing_for_a_prediction_that_may_be_wrong() -> None:
    refuse_late(1.5, 1.5, 1.0, 5000)
