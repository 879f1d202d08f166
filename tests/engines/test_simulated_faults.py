"""The scripts of simulated faults, played at the Engine protocol."""

import threading

import pytest

from demo.engines import simulated_faults
from demo.engines.simulated_faults import LIMIT, SimulatedFaults
from demo.errors import Overloaded
from demo.events import Done, Failed, Token
from demo.request import Request
from demo.run import Run


@pytest.fixture(autouse=True)
def short_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulated_faults, "GAP_SECONDS", 0.001)


def test_a_script_ends_when_its_last_reader_has_left() -> None:
    engine = SimulatedFaults()
    run = Run(engine, Request("pause"))
    reader = run.attach()
    next(batch for batch in reader if any(isinstance(event, Token) for event in batch))
    reader.close()
    run.cancel()
    assert [type(event) for batch in run.attach() for event in batch].count(Done) == 1
    wait_for_threads()
    assert engine.load.running == 0


def test_the_number_of_scripts_at_once_is_bounded_and_each_frees_its_slot() -> None:
    engine = SimulatedFaults()
    runs = [Run(engine, Request("pause")) for _ in range(LIMIT)]
    with pytest.raises(Overloaded, match="try again"):
        Run(engine, Request("break"))
    for run in runs:
        run.cancel()
    wait_for_threads()
    *_, last = Run(engine, Request("break")).attach()
    assert isinstance(last[-1], Failed)
    engine.close()


def wait_for_threads() -> None:
    for thread in threading.enumerate():
        if thread.name == "playback":
            thread.join(10)
