"""Programs as their reader would run them: each its own process, what it prints noted piece by piece."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.readme import ROOT

HERE: Final = Path(__file__).parent
PATIENCE: Final = 180.0
FEWEST_WORDS: Final = 5  # in twelve tokens
COMMANDS: Final = {
    "python": (sys.executable, "-u", "-W", "error", "-c"),  # a terminal shows each line at once; a pipe would not
    "js": ("node", "--no-warnings", "--input-type=module", "--eval"),  # Node 18 warns of its own fetch
    "sh": ("sh", "-c"),
}
INTERPRETERS: Final = {".py": str(ROOT / ".venv-clients" / "bin" / "python"), ".mjs": "node"}
NO_MESSAGES_HOME: Final = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}  # else LiteLLM fetches prices when it is imported


@dataclass(slots=True)
class Program:
    """A process that prints. `pieces` are its writes, unless two came too close to be told apart."""

    process: "subprocess.Popen[bytes]"
    pieces: list[bytes] = field(default_factory=list)
    complaints: str = ""

    @property
    def text(self) -> str:
        return b"".join(self.pieces).decode()

    def follow(self) -> None:
        """Read to the end, which must be an orderly one."""
        assert self.process.stdout is not None
        while piece := os.read(self.process.stdout.fileno(), 65536):
            self.pieces.append(piece)
        self.complaints = self.process.communicate()[1].decode()
        assert self.process.returncode == 0, self.complaints


def start_program(language: str, source: str, folder: Path = HERE) -> AbstractContextManager[Program]:
    """Start it in `folder`, where Node looks for packages. It is ended with the block, or when patience is."""
    return _start([*COMMANDS[language], source], folder)


@contextmanager
def _start(command: Sequence[str], folder: Path) -> Iterator[Program]:
    # The hub's client refuses every address while it is told to be offline, this machine's too.
    environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"} | NO_MESSAGES_HOME
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        end = threading.Timer(PATIENCE, process.kill)
        end.start()
        try:
            yield Program(process)
        finally:
            end.cancel()
            process.kill()


def run_program(language: str, source: str, folder: Path = HERE) -> Program:
    with start_program(language, source, folder) as program:
        program.follow()
    return program


def run_file(path: Path, argument: str) -> Program:
    """Run a program that is in a file, with the Python or the Node whose packages it imports, to its end."""
    with _start([INTERPRETERS[path.suffix], path.name, argument], path.parent) as program:
        program.follow()
    return program


def assert_streamed(ran: Program, expected: str) -> None:
    """It printed this, in pieces, and complained of nothing."""
    assert ran.text == expected, f"{ran.text!r} is not {expected!r}"
    assert_answered(ran)


def assert_answered(ran: Program) -> None:
    """It printed words, in pieces, and complained of nothing."""
    assert len(re.findall(r"[a-z]{2,}", ran.text)) >= FEWEST_WORDS, f"{ran.text!r} is no answer"
    assert len(ran.pieces) > 2, ran.pieces
    assert not ran.complaints, ran.complaints
