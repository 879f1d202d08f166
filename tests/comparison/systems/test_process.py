import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from demo.bench.sample import MeasurementError
from tests.comparison.systems.process import start
from tests.comparison.systems.system import exchange

FOREVER = "import signal; print('here', flush=True); signal.pause()"
STUBBORN = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True)\nwhile 1: signal.pause()"
)
PARENT = (
    "import subprocess, sys, signal\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])\n"
    "print(child.pid, flush=True); signal.pause()"
)

ALLOCATING = "import sys\nfor line in sys.stdin:\n    bytearray(int(line) << 20)\n    print('\"done\"', flush=True)"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def has_logged(log: Path) -> bool:
    return "\n" in log.read_text()


def test_a_process_is_ended_on_leaving_even_when_it_is_paused(tmp_path: Path) -> None:
    with start("peer", python(FOREVER), tmp_path) as process:
        process.wait_until(lambda: has_logged(process.log), 10)
        process.pause()
    assert process.popen.returncode == -signal.SIGTERM


def test_the_processes_that_it_started_are_ended_too(tmp_path: Path) -> None:
    with start("peer", python(PARENT), tmp_path) as process:
        process.wait_until(lambda: has_logged(process.log), 10)
        grandchild = psutil.Process(int(process.log.read_text()))
    psutil.wait_procs([grandchild], timeout=10)
    assert not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.comparison.systems.process.GRACE_PERIOD", 0.05)
    with start("peer", python(STUBBORN), tmp_path) as process:
        process.wait_until(lambda: has_logged(process.log), 10)
    assert process.popen.returncode == -signal.SIGKILL


def test_a_paused_process_is_stopped_and_continues_when_resumed(tmp_path: Path) -> None:
    with start("peer", python(FOREVER), tmp_path) as process:
        process.wait_until(lambda: has_logged(process.log), 10)
        process.pause()
        os.waitid(os.P_PID, process.popen.pid, os.WSTOPPED)
        process.resume()
        os.waitid(os.P_PID, process.popen.pid, os.WCONTINUED)


def test_the_last_line_of_a_process_that_ends_before_it_is_ready_is_quoted(tmp_path: Path) -> None:
    with (
        start("peer", python("raise SystemExit('no such model')"), tmp_path) as process,
        pytest.raises(MeasurementError, match=r"peer ended before it was ready\. Its last line: no such model"),
    ):
        process.wait_until(lambda: False, 10)


def test_a_process_that_is_never_ready_is_an_error(tmp_path: Path) -> None:
    with (
        start("peer", python(FOREVER), tmp_path) as process,
        pytest.raises(MeasurementError, match="was not ready after 0 s"),
    ):
        process.wait_until(lambda: False, 0.1)


def test_its_memory_is_the_resident_set_size(tmp_path: Path) -> None:
    with start("peer", python(FOREVER), tmp_path) as process:
        process.wait_until(lambda: has_logged(process.log), 10)
        memory = process.read_memory()
        resident = psutil.Process(process.popen.pid).memory_info().rss
    assert memory is None or memory == pytest.approx(resident, rel=0.1)
    assert process.read_memory() is None  # it has ended


def test_a_peak_of_memory_is_that_since_the_last_call(tmp_path: Path) -> None:
    with start("peer", python(ALLOCATING), tmp_path, piped=True) as process:
        peaks = []
        for size in (200, 100):
            assert exchange(process, size, 10) == "done"
            peaks.append(process.read_peak())
    if None not in peaks:  # /proc is there
        assert [peak // (100 << 20) for peak in peaks if peak is not None] == [2, 1]
