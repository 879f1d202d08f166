"""A library under test, in a subprocess that takes a line of JSON and answers with a line of JSON.

The subprocess stamps the pieces of text itself, by the same monotonic clock, so that no transport is measured.
"""

import json
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from demo.bench.client import TIMEOUT
from demo.bench.dialects import Json
from tests.comparison.systems.process import Process
from tests.comparison.systems.system import Answer, Identity, Question, SystemUnderTest


@dataclass(frozen=True, slots=True)
class SubprocessSystem(SystemUnderTest):
    """A program of ours around a library. It answers one question at a time."""

    identity: Identity
    process: Process
    timeout: float = TIMEOUT

    def ask(self, questions: Sequence[Question], stagger: float = 0.0) -> list[Answer]:
        return [self._ask(question) for question in questions]

    def _ask(self, question: Question) -> Answer:
        reply = exchange(self.process, asdict(question), self.timeout)
        if not reply["times"]:
            raise self.process.make_error("gave an answer without text")
        return Answer(**{**reply, "times": tuple(reply["times"])})


def exchange(process: Process, request: Json, timeout: float) -> Json:
    """The program's answer. Raises MeasurementError where it ends or takes longer than `timeout` seconds."""
    stdin, stdout = process.popen.stdin, process.popen.stdout
    assert stdin is not None
    assert stdout is not None
    timer = threading.Timer(timeout, process.popen.kill)
    timer.start()
    try:
        stdin.write(json.dumps(request) + "\n")
        stdin.flush()
        line = stdout.readline()
    except BrokenPipeError:
        line = ""
    finally:
        timer.cancel()
    if not line:
        raise process.make_error(f"ended, or did not answer within {timeout:g} s")
    return json.loads(line)
