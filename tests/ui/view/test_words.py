"""Phases and labels as text."""

import pytest

from demo.ui.view.words import Phase, describe_figures, describe_pace, describe_phase, describe_recording
from tests.traces import make_trace


@pytest.mark.parametrize(
    ("phase", "told"),
    [("idle", "ready"), ("queued", "queued"), ("reading", "reading the prompt"), ("writing", "writing")],
)
def test_a_phase_is_told_by_a_word(phase: Phase, told: str) -> None:
    assert describe_phase(phase) == told


def test_a_queue_and_a_prompt_tell_how_far_they_are_in_their_own_phase_only() -> None:
    assert describe_phase("queued", queue=(2, 3.2)) == "queued: 2 requests ahead, first words in about 4 s"
    assert describe_phase("reading", progress=(1200, 3400)) == "reading the prompt: 1,200 of 3,400 tokens"
    assert describe_phase("writing", progress=(1200, 3400), queue=(2, 3.2)) == "writing"


def test_an_engine_elsewhere_has_one_phase_before_its_first_token() -> None:
    assert describe_phase("queued", queue=(2, 3.2), elsewhere=True) == "waiting for the engine"
    assert describe_phase("writing", elsewhere=True) == "writing"


def test_a_recorded_run_names_its_day_its_machine_and_its_pace_and_one_from_a_link_only_its_pace() -> None:
    at_real_speed, slowed = make_trace(), make_trace(pace=30)
    assert describe_recording(at_real_speed).startswith("recorded 2026-11-23 on ")
    assert describe_recording(slowed) == f"{describe_recording(at_real_speed)}, slowed to 30 tokens/s"
    from_link = "from the link, not from this server's model"
    assert describe_recording(at_real_speed, from_link=True) == from_link
    assert describe_recording(slowed, from_link=True) == f"{from_link}, slowed to 30 tokens/s"


@pytest.mark.parametrize(
    ("pace", "rate", "told"),
    [
        (None, 5.0, ""),
        (30.0, None, "slowed to 30 tokens/s"),
        (30.0, 30.0, "slowed to 30 tokens/s"),
        (30.0, 29.9, "real speed: slower here than 30 tokens/s"),
    ],
)
def test_a_machine_slower_than_the_pace_is_not_called_slowed(pace: float | None, rate: float | None, told: str) -> None:
    assert describe_pace(pace, rate) == told


def test_an_engines_own_figures_are_told_by_its_own_names() -> None:
    assert describe_figures([("queue_time", 0.25), ("ttft", 1.5)]) == (
        "the engine's own figures: queue_time 0.25, ttft 1.5"
    )
    assert describe_figures([]) == ""
