"""A process of a system under test: started, watched, paused, and ended with every process that it started."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import demo
from demo.bench.sample import MeasurementError

START_SECONDS = 180.0
GRACE_PERIOD = 10.0  # seconds between SIGTERM and SIGKILL
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # that end the comparison
ROOT = Path(demo.__file__).parent.parent
# No process uses the network while another is measured.
_OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
_POLL = 0.05


@dataclass(frozen=True, slots=True)
class Process:
    """A running process, the leader of its own group: Ctrl-C at the terminal does not reach it."""

    name: str
    popen: "subprocess.Popen[str]"
    log: Path

    def pause(self) -> None:
        """Stop the whole group, which then uses no CPU."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def wait_until(self, is_ready: Callable[[], bool], seconds: float) -> None:
        """Return once `is_ready`. Raises MeasurementError where the process ends before, or it takes too long."""
        deadline = time.monotonic() + seconds
        while not is_ready():
            if self.popen.poll() is not None:
                raise self.make_error("ended before it was ready")
            if time.monotonic() > deadline:
                raise self.make_error(f"was not ready after {seconds:.0f} s")
            time.sleep(_POLL)

    def wait_for_address(self, mark: str, seconds: float) -> str:
        """The address that a server of this project logs, once its log has `mark` too."""
        self.wait_until(lambda: mark in self.read_log(), seconds)
        return self.read_log().partition("Listening on ")[2].split()[0]

    def read_log(self) -> str:
        return self.log.read_text(errors="replace")

    def make_error(self, what: str) -> MeasurementError:
        """The error that says what happened, with the last line of the process's log and the log's path."""
        lines = [line.strip() for line in self.read_log().splitlines() if line.strip()]
        last = f" Its last line: {lines[-1][:200]}" if lines else ""
        return MeasurementError(f"{self.name} {what}.{last} (Log: {self.log}.)")

    def read_memory(self) -> int | None:
        """Resident bytes of the process without its children; None where /proc is missing."""
        return self._read_status("VmRSS")

    def read_peak(self) -> int | None:
        """The peak of resident bytes since the last call, or since the start where the kernel can't reset it."""
        peak = self._read_status("VmHWM")
        with suppress(OSError):
            Path(f"/proc/{self.popen.pid}/clear_refs").write_text("5")
        return peak

    def _read_status(self, name: str) -> int | None:
        with suppress(OSError, StopIteration):
            status = Path(f"/proc/{self.popen.pid}/status").read_text()
            line = next(line for line in status.splitlines() if line.startswith(f"{name}:"))
            return int(line.split()[1]) * 1024
        return None

    def end(self) -> None:
        """End the group: SIGTERM, then SIGKILL after the grace period."""
        with _signals_deferred():
            self._signal(signal.SIGTERM)
            self.resume()  # a stopped process does not handle SIGTERM
            with suppress(subprocess.TimeoutExpired):
                self.popen.wait(GRACE_PERIOD)
            self._signal(signal.SIGKILL)  # also the children that are left
            self.popen.wait()
        for pipe in (self.popen.stdin, self.popen.stdout):
            with suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.popen.pid, number)


def find_port() -> int:
    """A port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def start(name: str, command: Sequence[str], logs: Path, piped: bool = False) -> Iterator[Process]:
    """The process, ended on leaving. Its output goes into a log; with `piped`, standard output is a pipe."""
    log = logs / f"{name.replace(' ', '-')}.log"
    with ExitStack() as stack:
        with log.open("w") as file, _signals_deferred():
            popen = subprocess.Popen(
                command,
                stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
                stdout=subprocess.PIPE if piped else file,
                stderr=file,
                text=True,
                env={**os.environ, **_OFFLINE},
                cwd=ROOT,
                start_new_session=True,
            )
            process = Process(name, popen, log)
            stack.callback(process.end)
        yield process


@contextmanager
def start_server(mark: str, *arguments: str) -> Iterator[tuple[Process, str]]:
    """A server of this project by Python's arguments, and its address; it is ready once its log has `mark`."""
    with TemporaryDirectory() as logs, start("server", [sys.executable, *arguments], Path(logs)) as process:
        yield process, process.wait_for_address(mark, START_SECONDS)


@contextmanager
def _signals_deferred() -> Iterator[None]:
    """Handle a signal afterwards, so that none comes between a process's start and the callback that ends it."""
    received: list[int] = []
    before = {each: signal.signal(each, lambda number, frame: received.append(number)) for each in SIGNALS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        for number in received[:1]:
            signal.raise_signal(number)
