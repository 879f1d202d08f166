import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from demo.bench.sample import MeasurementError
from tests.comparison.systems.process import start
from tests.comparison.systems.subprocess_system import SubprocessSystem, exchange
from tests.comparison.systems.system import Identity, Question

PROGRAM = """
from tests.comparison.systems.program import serve_lines
def load():
    print("a line that the library prints")
    def generate(messages, new_tokens, listen):
        {body}
    return generate
serve_lines(load)
"""
ANSWERS = "[listen(' moon') for _ in range(new_tokens)]; listen(''); return messages[0]['content'], new_tokens, 5"
QUESTION = Question(({"role": "user", "content": "Why?"},), 3)


@contextmanager
def opened(folder: Path, body: str, timeout: float = 20) -> Iterator[SubprocessSystem]:
    command = [sys.executable, "-c", PROGRAM.format(body=body)]
    with start("program", command, folder, piped=True) as process:
        assert exchange(process, {}, 20) == {}
        yield SubprocessSystem(Identity("program", "1", "float32", 1, "in process", concurrent=False), process, timeout)


def test_a_program_answers_with_its_own_times_whatever_its_library_prints(tmp_path: Path) -> None:
    with opened(tmp_path, ANSWERS) as system:
        first, second = system.ask([QUESTION, QUESTION])
    assert (first.text, first.tokens, first.prompt_tokens) == ("Why?", 3, 5)
    assert len(first.times) == 3
    assert first.asked < first.times[0] < second.asked


def test_the_last_line_of_a_program_that_ends_is_quoted(tmp_path: Path) -> None:
    with opened(tmp_path, "raise SystemExit('out of memory')") as system:
        with pytest.raises(MeasurementError, match=r"ended, or did not .* Its last line: out of memory"):
            system.ask([QUESTION])
        with pytest.raises(MeasurementError, match="ended, or did not answer within 20 s"):
            system.ask([QUESTION])


def test_an_answer_without_text_is_an_error(tmp_path: Path) -> None:
    with opened(tmp_path, "return '', 0, 5") as system, pytest.raises(MeasurementError, match="without text"):
        system.ask([QUESTION])


def test_a_program_that_hangs_is_ended_after_the_timeout(tmp_path: Path) -> None:
    with opened(tmp_path, "import signal; signal.pause()", 0.1) as system, pytest.raises(MeasurementError):
        system.ask([QUESTION])
