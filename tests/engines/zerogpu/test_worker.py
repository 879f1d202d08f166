"""The laws of the ZeroGPU engine with the platform's own package: its worker is a forked process."""

import json
import subprocess
import sys
from typing import Any

import pytest

from demo.engines.zerogpu.gpu_time import MAX_SECONDS
from tests.test_layers import ROOT


@pytest.fixture(scope="module")
def report() -> Any:
    program = [sys.executable, "-m", "tests.engines.zerogpu.worker"]
    ended = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False, timeout=180)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


def test_a_worker_gives_the_local_engines_tokens_again_and_again(report: Any) -> None:
    first, again, local = report["ids"]
    assert first == again == local
    assert len(local) == 24


def test_a_workers_stamps_are_on_the_engines_clock(report: Any) -> None:
    assert report["stamps_are_on_our_clock"]


def test_a_flag_stops_the_worker_long_before_its_last_token(report: Any) -> None:
    reason, events, seconds = report["stopped"]
    assert reason == "cancelled"
    assert events < 100  # of 400 tokens
    assert seconds < 1.0


def test_quota_is_counted_by_the_visitors_token_and_refused_in_the_visitors_words(report: Any) -> None:
    assert report["asked"] == ["rich", "rich", "poor", "rich"]
    kind, sentence = report["refused"]
    assert kind == "Overloaded"
    assert "3 s are left): try again in 1:00:00" in sentence


def test_the_time_asked_for_is_estimated(report: Any) -> None:
    assert all(0 < int(seconds) <= MAX_SECONDS for seconds in report["seconds"])


def test_the_start_is_reported_once_and_each_gpu_is_given_back_to_one_worker(report: Any) -> None:
    assert (report["reports"], report["releases"], report["workers"]) == (1, 3, 1)
