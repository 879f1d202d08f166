"""Leaving, against this project's real server in front of an engine that writes one token after the other."""

import json

import pytest

from demo.bench.__main__ import main
from demo.bench.leave import count_generated
from tests.api.serving import serve_api
from tests.bench.fake_server import Script, serve
from tests.scripted import TypingEngine


def test_of_this_server_at_most_one_token_is_computed_after_each_way_of_leaving(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with serve_api(TypingEngine([" word"] * 26, gap=0.012)) as url:
        assert main(["leave", url, "--dialect", "chat", "--settle", "0.1"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    departures = {each["way"]: each for each in found["departures"]}
    assert len(departures) == 5
    for way, departure in departures.items():
        # The estimate of what a whole reply had been computed by then can be off by one on a busy machine.
        assert departure["after"] <= (2 if "whole" in way else 1), departures
    assert found["whole_answer"] == 26


@pytest.mark.parametrize(
    ("metrics", "found"),
    [
        ("tgi_request_generated_tokens_sum 12.0\n", ("tgi_request_generated_tokens_sum", 12)),
        ('vllm:generation_tokens_total{model_name="m"} 3.0\nvllm:generation_tokens_total{model_name="n"} 4.0\n', 7),
        ("# TYPE llamacpp:tokens_predicted_total counter\nllamacpp:tokens_predicted_total 5\n", 5),
        ("other_total 3\n", None),
    ],
)
def test_each_servers_own_counter_is_found(metrics: str, found: object) -> None:
    counted = count_generated(metrics)
    assert counted == found or (counted is not None and counted[1] == found)


def test_a_server_without_metrics_gets_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with serve(Script()) as server:
        assert main(["leave", server.url]) == 2
    errors = capsys.readouterr().err
    assert "has no count of generated tokens" in errors
    assert "llama-server shows it with --metrics" in errors
