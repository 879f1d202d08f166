"""A contestant that answers in process, in a process of its own: a line of JSON in, a line of JSON out.

It stamps its pieces of text itself, by the same monotonic clock: nothing but the model's own work is measured.
"""

import json
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from demo.bench.dialects import Json
from demo.bench.peers.contestant import Answer, Identity, Question
from demo.bench.peers.process import Child

SILENCE = 120.0


@dataclass(frozen=True, slots=True)
class Aside:
    """A program of ours around somebody else's library."""

    identity: Identity
    child: Child
    silence: float = SILENCE

    def ask(self, questions: Sequence[Question], apart: float = 0.0) -> list[Answer]:
        """One after the other, whatever `apart` says."""
        return [self._ask(question) for question in questions]

    def pause(self) -> None:
        self.child.pause()

    def resume(self) -> None:
        self.child.resume()

    def read_memory(self) -> int | None:
        return self.child.read_memory()

    def read_peak(self) -> int | None:
        return self.child.read_peak()

    def _ask(self, question: Question) -> Answer:
        said = converse(self.child, asdict(question), self.silence)
        if not said["times"]:
            raise self.child.explain("answered without a word")
        return Answer(said["asked"], tuple(said["times"]), said["tokens"], said["text"], said["prompt_tokens"])


def converse(child: Child, request: Json, seconds: float) -> Json:
    """What the program answers. Raises Unmeasured where it ends or is silent."""
    stdin, stdout = child.popen.stdin, child.popen.stdout
    assert stdin is not None
    assert stdout is not None
    watch = threading.Timer(seconds, child.popen.kill)
    watch.start()
    try:
        stdin.write(json.dumps(request) + "\n")
        stdin.flush()
        line = stdout.readline()
    except BrokenPipeError:
        line = ""
    finally:
        watch.cancel()
    if not line:
        raise child.explain("ended in the middle")
    return json.loads(line)
