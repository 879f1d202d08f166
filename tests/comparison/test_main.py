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

from demo.bench.sample import MeasurementError
from demo.examples import read_examples
from tests.bench.fake_server import Script, serve
from tests.comparison import __main__ as comparison
from tests.comparison.scripted_system import ScriptedSystem
from tests.comparison.systems import registry
from tests.comparison.systems.environment import Environment
from tests.comparison.systems.process import ROOT
from tests.comparison.systems.registry import OURS, PEERS

NO_PEERS = [option for peer in PEERS for option in ("--without", peer.name)]
NO_SYSTEMS = ["--without", OURS, *NO_PEERS]
CHEESE = Script(words=("To make ", "cheese ", *(f"you warm milk {n} times " for n in range(5))), capacity=8, gap=0.001)


def run(folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str, str]:
    only = ["--rounds", "1", "--no-curves", "--no-examples"]
    code = comparison.main([*only, "--output", str(folder), *NO_SYSTEMS, *options])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def read_document(output: str) -> Any:
    return json.loads(output.splitlines()[-1])


def test_a_running_server_takes_part_and_the_last_line_is_the_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    locked = replace(CHEESE, api_key="secret", replies={"/version": {"version": "0.32.0"}})
    with serve(locked) as one, serve(CHEESE) as other:
        peers = f"one={one.url},dtype=stored,api_key=secret", f"other={other.url}"
        code, output, _ = run(tmp_path, capsys, "--peer", peers[0], "--peer", peers[1])
    assert code == 0
    results = read_document(output)["results"]
    assert [each["identity"]["name"] for each in results] == ["one", "other"]
    assert [each["identity"]["weights"] for each in results] == ["Q4_1, as stored", "not named"]
    assert all(each["oddity"] is None and each["numbers"]["rate_of_many"]["n"] == 1 for each in results)
    assert {path.name for path in tmp_path.iterdir()} == {"report.md", "report.html", "report.json"}
    assert "- one: of all prompts; each request has a cache_salt of its own" in output
    assert "- other: not known; no parameter is sent" in output
    assert len({body["cache_salt"] for body in one.asked}) == len(one.asked)
    assert "secret" not in "".join(path.read_text() for path in tmp_path.iterdir()) + output


def test_a_server_that_is_absent_or_fails_is_left_out_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve() as gone:
        nowhere = gone.url
    with serve(CHEESE) as sound, serve(Script(breaks_after=1)) as frail:
        peers = {"sound": sound.url, "frail": frail.url, "gone": nowhere}
        options = [option for name, url in peers.items() for option in ("--peer", f"{name}={url}")]
        code, output, progress = run(tmp_path, capsys, *options)
    document = read_document(output)
    assert code == 0
    assert [each["identity"]["name"] for each in document["results"]] == ["sound"]
    assert "out of memory" in document["left_out"]["frail"]
    assert "does not answer" in document["left_out"]["gone"]
    assert "frail is left out" in progress


def test_without_a_system_the_reason_is_printed_and_the_exit_code_is_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, output, errors = run(tmp_path, capsys)
    assert (code, output) == (2, "")
    assert "No system is left to be measured" in errors


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


def test_the_examples_are_answered_with_the_weights_as_stored_and_in_float32(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def open_ours(environment: Environment, *options: str, name: str) -> Iterator[ScriptedSystem]:
        yield ScriptedSystem(text=" ".join(options))

    monkeypatch.setattr(registry, "open_ours", open_ours)
    examples = comparison.compare_own_answers(Environment(tmp_path, 2, tmp_path), {})
    assert examples is not None
    assert [each.prompt for each in examples] == read_examples()
    assert {(each.stored, each.exact) for each in examples} == {("--dtype stored", "--dtype float32")}


def test_examples_that_cannot_be_answered_are_left_out_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_ours(environment: Environment, *options: str, name: str) -> NoReturn:
        raise MeasurementError("This processor has no FMA.")

    left_out: dict[str, str] = {}
    monkeypatch.setattr(registry, "open_ours", open_ours)
    assert comparison.compare_own_answers(Environment(tmp_path, 2, tmp_path), left_out) is None
    assert left_out == {"the example prompts": "This processor has no FMA."}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_every_process_that_was_started(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "tests.comparison", "--output", str(tmp_path), *NO_PEERS]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT) as bench:
        assert bench.stderr is not None
        assert "starting this server" in bench.stderr.readline()
        while not (children := psutil.Process(bench.pid).children(recursive=True)):
            os.sched_yield()
        bench.send_signal(number)
        assert "every process that was started has ended" in bench.stderr.read()
    assert bench.returncode == 130
    assert not [child for child in children if child.is_running()]
