import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from demo.bench.client import Client
from demo.bench.sample import MeasurementError
from tests.bench.fake_server import WORDS, FakeServer, Script, serve
from tests.comparison.systems.process import start
from tests.comparison.systems.system import HttpSystem, Identity, Question, SubprocessSystem, exchange

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
def open_server(script: Script | None = None, **options: Any) -> Iterator[tuple[HttpSystem, FakeServer]]:
    with serve(script) as server:
        yield HttpSystem(Identity("fake", "1", "as stored", 100, "HTTP"), Client(server.url), "m", **options), server


def test_an_answer_has_its_text_and_a_time_for_each_token() -> None:
    with open_server() as (system, _):
        (answer,) = system.ask([QUESTION])
    assert answer.text == "".join(WORDS)
    assert answer.tokens == len(answer.times) == len(WORDS)
    assert 0 < answer.ttft < answer.times[-1] - answer.asked


def test_the_question_is_asked_greedily_with_the_extra_parameters() -> None:
    with open_server(extras={"ignore_eos": True}) as (system, server):
        system.ask([QUESTION])
        (asked,) = server.asked
    assert (asked["model"], asked["max_tokens"], asked["temperature"], asked["ignore_eos"]) == ("m", 3, 0, True)
    assert asked["messages"] == [{"role": "user", "content": "Why?"}]


def test_the_servers_token_counts_take_precedence_over_its_events() -> None:
    with open_server(Script(usage={"prompt_tokens": 33, "completion_tokens": 9})) as (system, _):
        (answer,) = system.ask([QUESTION])
    assert (answer.tokens, answer.prompt_tokens) == (9, 33)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (Script(refusal=503), "answered 503: no such thing"),
        (Script(breaks_after=2), "out of memory"),
        (Script(cuts_after=2), "broke the connection"),
    ],
)
def test_the_error_of_a_server_is_quoted(script: Script, words: str) -> None:
    with open_server(script) as (system, _), pytest.raises(MeasurementError, match=words):
        system.ask([QUESTION])


@contextmanager
def open_program(folder: Path, body: str, timeout: float = 20) -> Iterator[SubprocessSystem]:
    command = [sys.executable, "-c", PROGRAM.format(body=body)]
    with start("program", command, folder, piped=True) as process:
        assert exchange(process, {}, 20) == {}
        yield SubprocessSystem(Identity("program", "1", "float32", 1, "in process", concurrent=False), process, timeout)


def test_a_program_answers_with_its_own_times_whatever_its_library_prints(tmp_path: Path) -> None:
    with open_program(tmp_path, ANSWERS) as system:
        first, second = system.ask([QUESTION, QUESTION])
    assert (first.text, first.tokens, first.prompt_tokens) == ("Why?", 3, 5)
    assert len(first.times) == 3
    assert first.asked < first.times[0] < second.asked


def test_the_last_line_of_a_program_that_ends_is_quoted(tmp_path: Path) -> None:
    with open_program(tmp_path, "raise SystemExit('out of memory')") as system:
        with pytest.raises(MeasurementError, match=r"ended, or did not .* Its last line: out of memory"):
            system.ask([QUESTION])
        with pytest.raises(MeasurementError, match="ended, or did not answer within 20 s"):
            system.ask([QUESTION])


def test_an_answer_without_text_is_an_error(tmp_path: Path) -> None:
    with open_program(tmp_path, "return '', 0, 5") as system, pytest.raises(MeasurementError, match="without text"):
        system.ask([QUESTION])


def test_a_program_that_hangs_is_ended_after_the_timeout(tmp_path: Path) -> None:
    with open_program(tmp_path, "import signal; signal.pause()", 0.1) as system, pytest.raises(MeasurementError):
        system.ask([QUESTION])
