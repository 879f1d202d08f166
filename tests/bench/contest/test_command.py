import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import psutil
import pytest

from demo.bench.__main__ import main
from demo.bench.contest import command
from demo.bench.peers.ground import Ground
from demo.bench.peers.roster import OURS, PEERS
from demo.bench.sample import Unmeasured
from demo.examples import read_examples
from tests.bench.contest.contestants import Scripted
from tests.bench.fake import Script, serve

ROOT = Path(__file__).parent.parent.parent.parent
NO_PEERS = [option for peer in PEERS for option in ("--without", peer.name)]
NOBODY = ["--without", OURS, *NO_PEERS]
CHEESE = Script(words=("To make ", "cheese ", *(f"you warm milk {n} times " for n in range(5))), capacity=8, gap=0.001)


def run(folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str, str]:
    only = ["--rounds", "1", "--no-curves", "--no-examples"]
    code = main(["--peers", *only, "--output", str(folder), *NOBODY, *options])
    said = capsys.readouterr()
    return code, said.out, said.err


def read_document(output: str) -> Any:
    return json.loads(output.splitlines()[-1])


def test_any_address_takes_part_as_it_is_named_and_the_last_line_is_the_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    locked = replace(CHEESE, api_key="secret", replies={"/version": {"version": "0.32.0"}})
    with serve(locked) as one, serve(CHEESE) as other:
        peers = f"one={one.url},dtype=stored,api_key=secret", f"other={other.url}"
        code, output, _ = run(tmp_path, capsys, "--peer", peers[0], "--peer", peers[1])
    assert code == 0
    standings = read_document(output)["standings"]
    assert [each["identity"]["name"] for each in standings] == ["one", "other"]
    assert [each["identity"]["weights"] for each in standings] == ["Q4_1, as stored", "not named"]
    assert all(each["oddity"] is None and each["numbers"]["rate_of_many"]["n"] == 1 for each in standings)
    assert {path.name for path in tmp_path.iterdir()} == {"report.md", "report.html", "report.json"}
    assert "- one: prefixes of prompts; each request has a cache_salt of its own" in output
    assert "- other: not known; no parameter is sent" in output
    assert len({body["cache_salt"] for body in one.asked}) == len(one.asked)
    assert "secret" not in "".join(path.read_text() for path in tmp_path.iterdir()) + output


def test_who_is_not_there_or_breaks_off_is_left_out_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(CHEESE) as sound, serve(Script(cuts_after=1)) as frail, serve() as gone:
        nowhere = gone.url
    with serve(CHEESE) as sound, serve(Script(breaks_after=1)) as frail:
        peers = {"sound": sound.url, "frail": frail.url, "gone": nowhere}
        options = [option for name, url in peers.items() for option in ("--peer", f"{name}={url}")]
        code, output, said = run(tmp_path, capsys, *options)
    document = read_document(output)
    assert code == 0
    assert [each["identity"]["name"] for each in document["standings"]] == ["sound"]
    assert "out of memory" in document["left_out"]["frail"]
    assert "does not answer" in document["left_out"]["gone"]
    assert "frail is left out" in said


def test_where_nobody_is_left_it_is_one_sentence_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, output, said = run(tmp_path, capsys)
    assert (code, output) == (2, "")
    assert "Nobody is left to be measured" in said


@pytest.mark.parametrize(
    "option",
    [
        ["--peer", "x"],
        ["--peer", "=http://x"],
        ["--peer", "x=http://x,dtype=int3"],
        ["--peer", "x=http://x,api_key="],
        ["--peer", "x=http://x,y"],
        ["--rounds", "0"],
        ["--without", "x"],
    ],
)
def test_a_wrong_option_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], option: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        run(tmp_path, capsys, *option)
    assert left.value.code == 2


def test_the_examples_are_answered_in_both_forms_of_the_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def open_ours(ground: Ground, *options: str, name: str) -> Iterator[Scripted]:
        yield Scripted(text=" ".join(options))

    monkeypatch.setattr(command, "open_ours", open_ours)
    examples = command.compare_own_answers(Ground(tmp_path, 2, tmp_path), {})
    assert examples is not None
    assert [each.prompt for each in examples] == read_examples()
    assert {(each.stored, each.exact) for each in examples} == {("--dtype stored", "--dtype float32")}


def test_examples_that_cannot_be_answered_are_left_out_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_ours(ground: Ground, *options: str, name: str) -> NoReturn:
        raise Unmeasured("This processor has no FMA.")

    left_out: dict[str, str] = {}
    monkeypatch.setattr(command, "open_ours", open_ours)
    assert command.compare_own_answers(Ground(tmp_path, 2, tmp_path), left_out) is None
    assert left_out == {"the example prompts": "This processor has no FMA."}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_however_it_is_stopped_no_process_is_left(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "demo.bench", "--peers", "--output", str(tmp_path), *NO_PEERS]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT) as bench:
        assert bench.stderr is not None
        assert "starting this server" in bench.stderr.readline()
        while not (children := psutil.Process(bench.pid).children(recursive=True)):
            os.sched_yield()
        bench.send_signal(number)
        assert "has been ended" in bench.stderr.read()
    assert bench.returncode == 130
    assert not [child for child in children if child.is_running()]
