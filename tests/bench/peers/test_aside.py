import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from demo.bench.peers.aside import Aside, converse
from demo.bench.peers.contestant import Identity, Question
from demo.bench.peers.process import start
from demo.bench.sample import Unmeasured

PROGRAM = """
from demo.bench.peers.program import answer_lines
def load():
    print("a library's chatter")
    def generate(messages, new_tokens, listen):
        {body}
    return generate
answer_lines(load)
"""
ANSWERS = "[listen(' moon') for _ in range(new_tokens)]; listen(''); return messages[0]['content'], new_tokens, 5"
QUESTION = Question(({"role": "user", "content": "Why?"},), 3)
ROOT = Path(__file__).parent.parent.parent.parent


@contextmanager
def opened(folder: Path, body: str, silence: float = 20) -> Iterator[Aside]:
    command = [sys.executable, "-c", PROGRAM.format(body=body)]
    with start("program", command, folder, folder=ROOT, talks=True) as child:
        assert converse(child, {}, 20) == {}
        yield Aside(Identity("program", "1", "float32", 1, "in process", together=False), child, silence)


def test_a_program_answers_with_its_own_times_whatever_its_library_prints(tmp_path: Path) -> None:
    with opened(tmp_path, ANSWERS) as aside:
        first, second = aside.ask([QUESTION, QUESTION])
    assert (first.text, first.tokens, first.prompt_tokens) == ("Why?", 3, 5)
    assert len(first.times) == 3
    assert first.asked < first.times[0] < second.asked


def test_a_program_that_dies_in_the_middle_is_quoted(tmp_path: Path) -> None:
    with opened(tmp_path, "raise SystemExit('out of memory')") as aside:
        with pytest.raises(Unmeasured, match=r"program ended in the middle\. It said last: out of memory"):
            aside.ask([QUESTION])
        with pytest.raises(Unmeasured, match="ended in the middle"):
            aside.ask([QUESTION])


def test_an_answer_without_a_word_is_none(tmp_path: Path) -> None:
    with opened(tmp_path, "return '', 0, 5") as aside, pytest.raises(Unmeasured, match="without a word"):
        aside.ask([QUESTION])


def test_a_program_that_hangs_is_given_up(tmp_path: Path) -> None:
    with opened(tmp_path, "import signal; signal.pause()", 0.1) as aside, pytest.raises(Unmeasured):
        aside.ask([QUESTION])
