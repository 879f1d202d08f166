import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from demo.bench.peers.process import start
from demo.bench.sample import Unmeasured

FOREVER = "import signal; print('here', flush=True); signal.pause()"
STUBBORN = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True)\nwhile 1: signal.pause()"
)
PARENT = (
    "import subprocess, sys, signal\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])\n"
    "print(child.pid, flush=True); signal.pause()"
)

ALLOCATING = "import sys\nfor line in sys.stdin:\n    bytearray(int(line) << 20)\n    print('done', flush=True)"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def has_spoken(log: Path) -> bool:
    return "\n" in log.read_text()


def test_a_process_is_ended_on_leaving_even_when_it_is_paused(tmp_path: Path) -> None:
    with start("peer", python(FOREVER), tmp_path) as child:
        child.wait_until(lambda: has_spoken(child.log), 10)
        child.pause()
    assert child.popen.returncode == -signal.SIGTERM


def test_what_it_started_is_ended_too(tmp_path: Path) -> None:
    with start("peer", python(PARENT), tmp_path) as child:
        child.wait_until(lambda: has_spoken(child.log), 10)
        grandchild = psutil.Process(int(child.log.read_text()))
    psutil.wait_procs([grandchild], timeout=10)
    assert not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE


def test_a_process_that_will_not_go_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demo.bench.peers.process.PATIENCE", 0.05)
    with start("peer", python(STUBBORN), tmp_path) as child:
        child.wait_until(lambda: has_spoken(child.log), 10)
    assert child.popen.returncode == -signal.SIGKILL


def test_a_paused_process_is_stopped_and_goes_on_afterwards(tmp_path: Path) -> None:
    with start("peer", python(FOREVER), tmp_path) as child:
        child.wait_until(lambda: has_spoken(child.log), 10)
        child.pause()
        os.waitid(os.P_PID, child.popen.pid, os.WSTOPPED)
        child.resume()
        os.waitid(os.P_PID, child.popen.pid, os.WCONTINUED)


def test_a_process_that_ends_before_it_is_ready_says_its_last_words(tmp_path: Path) -> None:
    with (
        start("peer", python("raise SystemExit('no such model')"), tmp_path) as child,
        pytest.raises(Unmeasured, match=r"peer ended before it was ready\. It said last: no such model"),
    ):
        child.wait_until(lambda: False, 10)


def test_a_process_that_is_never_ready_is_given_up(tmp_path: Path) -> None:
    with start("peer", python(FOREVER), tmp_path) as child, pytest.raises(Unmeasured, match="was not ready after 0 s"):
        child.wait_until(lambda: False, 0.1)


def test_its_memory_is_what_the_system_says(tmp_path: Path) -> None:
    with start("peer", python(FOREVER), tmp_path) as child:
        child.wait_until(lambda: has_spoken(child.log), 10)
        memory = child.read_memory()
        said = psutil.Process(child.popen.pid).memory_info().rss
    assert memory is None or memory == pytest.approx(said, rel=0.1)
    assert child.read_memory() is None  # it has ended


def test_a_peak_of_memory_is_the_greatest_since_it_was_last_asked_for(tmp_path: Path) -> None:
    with start("peer", python(ALLOCATING), tmp_path, talks=True) as child:
        pipe_in, pipe_out = child.popen.stdin, child.popen.stdout
        assert pipe_in is not None
        assert pipe_out is not None
        peaks = []
        for size in (200, 100):
            print(size, file=pipe_in, flush=True)
            assert pipe_out.readline() == "done\n"
            peaks.append(child.read_peak())
    if None not in peaks:  # the system tells
        assert [peak // (100 << 20) for peak in peaks if peak is not None] == [2, 1]
