"""A process of somebody else's: started, watched, paused, and ended with all that it started. Knows no HTTP."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from demo.bench.sample import Unmeasured

PATIENCE = 10.0  # seconds for an orderly end
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # that tell us to go
_POLL = 0.05


@dataclass(frozen=True, slots=True)
class Child:
    """A running process, the leader of its own group: Ctrl-C at the terminal reaches it only through us."""

    name: str
    popen: "subprocess.Popen[str]"
    log: Path

    def pause(self) -> None:
        """Stop the whole group, which then uses no processor."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def wait_until(self, is_ready: Callable[[], bool], seconds: float) -> None:
        """Return once `is_ready`. Raises Unmeasured where the process ends before, or it takes too long."""
        deadline = time.monotonic() + seconds
        while not is_ready():
            if self.popen.poll() is not None:
                raise self.explain("ended before it was ready")
            if time.monotonic() > deadline:
                raise self.explain(f"was not ready after {seconds:.0f} s")
            time.sleep(_POLL)

    def read_log(self) -> str:
        """What it has said so far."""
        return self.log.read_text(errors="replace")

    def explain(self, what: str) -> Unmeasured:
        """What happened, with the process's own last words and where there are more."""
        lines = [line.strip() for line in self.read_log().splitlines() if line.strip()]
        said = f" It said last: {lines[-1][:200]}" if lines else ""
        return Unmeasured(f"{self.name} {what}.{said} (More in {self.log}.)")

    def read_memory(self) -> int | None:
        """The resident bytes of the process, without those it started; None where the system does not tell."""
        return self._read_status("VmRSS")

    def read_peak(self) -> int | None:
        """The most that they were since this was last asked, or, where the system does not count anew, ever."""
        peak = self._read_status("VmHWM")
        with suppress(OSError):
            Path(f"/proc/{self.popen.pid}/clear_refs").write_text("5")
        return peak

    def _read_status(self, name: str) -> int | None:
        """Bytes."""
        with suppress(OSError, StopIteration):
            status = Path(f"/proc/{self.popen.pid}/status").read_text()
            line = next(line for line in status.splitlines() if line.startswith(f"{name}:"))
            return int(line.split()[1]) * 1024
        return None

    def end(self) -> None:
        """End the group, at first politely."""
        with _signals_deferred():
            self._signal(signal.SIGTERM)
            self.resume()  # a stopped process would not notice
            with suppress(subprocess.TimeoutExpired):
                self.popen.wait(PATIENCE)
            self._signal(signal.SIGKILL)  # also what it left behind
            self.popen.wait()
        for pipe in (self.popen.stdin, self.popen.stdout):
            with suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.popen.pid, number)


@contextmanager
def start(
    name: str,
    command: Sequence[str],
    logs: Path,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    talks: bool = False,
) -> Iterator[Child]:
    """The process, ended on leaving. What it says goes into a file; with `talks`, its standard output comes to us."""
    log = logs / f"{name.replace(' ', '-')}.log"
    with ExitStack() as stack:
        with log.open("w") as file, _signals_deferred():
            popen = subprocess.Popen(
                command,
                stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
                stdout=subprocess.PIPE if talks else file,
                stderr=file,
                text=True,
                env={**os.environ, **(environment or {})},
                cwd=folder,
                start_new_session=True,
            )
            child = Child(name, popen, log)
            stack.callback(child.end)
        yield child


@contextmanager
def _signals_deferred() -> Iterator[None]:
    """A signal to go takes effect afterwards: none may come between a process's start and the promise to end it."""
    noted: list[int] = []
    before = {each: signal.signal(each, lambda number, frame: noted.append(number)) for each in SIGNALS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        for number in noted[:1]:
            signal.raise_signal(number)
