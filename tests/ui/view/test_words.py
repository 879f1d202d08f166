"""Phases and labels as text."""

from typing import Any

import pytest

from demo.ui.view.words import Phase, describe_figures, describe_pace, describe_phase, describe_recording
from tests.traces import make_trace


@pytest.mark.parametrize(
    ("phase", "known", "told"),
    [
        ("idle", {}, "ready"),
        ("queued", {}, "queued"),
        ("reading", {}, "reading the prompt"),
        ("writing", {}, "writing"),
        # A queue and a prompt tell how far they are in their own phase only.
        ("queued", {"queue": (3, 1.6)}, "queued: 3 requests ahead, first words in about 2 s"),
        ("queued", {"queue": (2, 3.2)}, "queued: 2 requests ahead, first words in about 4 s"),
        ("queued", {"queue": (1, 0.2)}, "queued: 1 request ahead, first words in about 1 s"),
        ("queued", {"queue": (0, 12.0)}, "queued: next, first words in about 12 s"),
        ("queued", {"queue": (2, None)}, "queued: 2 requests ahead"),
        *(("reading", {"queue": queue}, "reading the prompt") for queue in ((3, 1.6), (1, 0.2), (0, 12.0), (2, None))),
        ("reading", {"progress": (1200, 3400)}, "reading the prompt: 1,200 of 3,400 tokens"),
        ("writing", {"progress": (1200, 3400), "queue": (2, 3.2)}, "writing"),
        # An engine elsewhere has one phase before its first token.
        ("queued", {"queue": (2, 3.2), "elsewhere": True}, "waiting for the engine"),
        ("writing", {"elsewhere": True}, "writing"),
    ],
)
def test_a_phase_is_told_with_what_is_known_of_it(phase: Phase, known: dict[str, Any], told: str) -> None:
    assert describe_phase(phase, **known) == told


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
