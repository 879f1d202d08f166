import json
from typing import Any

import pytest

from demo.bench.__main__ import main, parse_limits
from demo.bench.dialects import DIALECTS
from tests.bench.fake_server import WORDS, Script, serve

FEW = ["--pairs", "3", "--warm-up", "1", "--new-tokens", str(len(WORDS)), "--self-test", "0"]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def read_document(output: str) -> Any:
    return json.loads(output.splitlines()[-1])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_any_dialect_is_measured_and_the_warm_up_is_dropped(capsys: pytest.CaptureFixture[str], dialect: str) -> None:
    with serve() as server:
        code, output, _ = run(capsys, server.url, "--dialect", dialect, *FEW)
    found = read_document(output)
    assert code == 0
    assert len(server.replies) == 2 * (1 + 3)
    assert found["pairs"]["streamed_total"]["n"] == 3
    assert found["conditions"]["model"] == "fake/model"
    assert found["pairs"]["streamed_tokens"]["median"] == len(WORDS)
    assert "equal in all 3 pairs" in output


@pytest.mark.parametrize("dialect", DIALECTS)
def test_prefix_caching_of_this_projects_server_is_switched_off_and_the_report_has_it(
    capsys: pytest.CaptureFixture[str], dialect: str
) -> None:
    info = {"model_id": "m", "version": "1", "router": "token-streaming"}
    with serve(Script(replies={"/info": info})) as server:
        _, output, _ = run(capsys, server.url, "--dialect", dialect, *FEW)
    assert all(body.get("parameters", body)["cache_prompt"] is False for body in server.asked)
    assert "each request switches it off (cache_prompt: false)" in output
    assert "cache_prompt" in read_document(output)["conditions"]["prefix_caching"]


def test_an_unknown_server_gets_no_parameter_that_it_may_refuse(capsys: pytest.CaptureFixture[str]) -> None:
    with serve(Script(is_native=False)) as server:
        _, output, _ = run(capsys, server.url, *FEW)
    assert set(server.asked[0]) == {"path", "authorization", "messages", "model", "max_tokens", "temperature", "stream"}
    assert "prefix caching: not known" in output


def test_a_different_text_is_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    with serve(Script(whole="Something else.")) as server:
        _, output, _ = run(capsys, server.url, *FEW)
    assert "The texts differed in 3 of 3 pairs: a faster different answer is not faster." in output
    assert read_document(output)["differing_texts"] == 3


def test_what_http_adds_is_small_and_reported_where_the_server_reports(capsys: pytest.CaptureFixture[str]) -> None:
    with serve(Script(reports_times=True)) as server:
        added = read_document(run(capsys, server.url, *FEW)[1])["http_adds"]
    assert all(row["n"] == 3 and row["median"] > 0 for row in added.values())


def test_concurrent_streams_are_measured_and_refusals_counted(capsys: pytest.CaptureFixture[str]) -> None:
    with serve(Script(capacity=2, delay=0.05)) as server:
        levels = read_document(run(capsys, server.url, *FEW, "--concurrency", "1,2,4")[1])["levels"]
    assert [level["concurrency"] for level in levels] == [2, 4]
    assert levels[0]["refused"] == 0
    assert levels[1]["refused"] > 0
    assert all(level["streams"] + level["refused"] == level["concurrency"] * level["rounds"] for level in levels)


def test_an_open_loop_reports_percentiles_goodput_and_every_tools_definitions(
    capsys: pytest.CaptureFixture[str],
) -> None:
    loop = ["--rate", "50", "--requests", "10", "--slo", "ttft=5,tpot=0.0001", "--warm-up", "1", "--self-test", "1"]
    with serve(Script(is_native=False)) as server:
        code, output, _ = run(capsys, server.url, *loop)
    found = read_document(output)
    assert code == 0
    assert len(server.replies) == 11
    assert (found["open_loop"]["requests"], found["open_loop"]["within"]) == (10, {"ttft": 10, "tpot": 0})
    assert found["open_loop"]["good"] == 0
    assert found["definitions"]["vLLM bench serve"]["ttft"] > 0
    assert found["self_test"]["streams"] == 1
    assert "Goodput: 0.00 requests/s, 0 of 10 requests" in output


def test_an_overloaded_server_does_not_end_an_open_loop(capsys: pytest.CaptureFixture[str]) -> None:
    with serve(Script(capacity=1, delay=0.1)) as server:
        loop = read_document(run(capsys, server.url, *FEW, "--rate", "100", "--requests", "5")[1])["open_loop"]
    assert loop["refused"] > 0
    assert loop["refused"] + loop["metrics"]["ttft"]["n"] == 5


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (Script(breaks_after=1), "out of memory"),
        (Script(capacity=0), "refused a request"),
        (Script(refusal=404), "answered 404"),
    ],
)
def test_a_servers_error_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], script: Script, words: str
) -> None:
    with serve(script) as server:
        code, output, errors = run(capsys, server.url, *FEW)
    assert (code, output, errors.count("\n")) == (2, "", 1)
    assert words in errors


@pytest.mark.parametrize(
    ("url", "words"), [("http://127.0.0.1:1", "can't be reached"), ("localhost:7860", "is not the URL of a server")]
)
def test_no_server_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str], url: str, words: str) -> None:
    code, output, errors = run(capsys, url)
    assert (code, output, errors.count("\n")) == (2, "", 1)
    assert words in errors


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--pairs=1", "is not a whole number of at least 2"),
        ("--new-tokens=0", "is not a whole number of at least 1"),
        ("--concurrency=0", "is not a whole number of at least 1"),
        ("--concurrency=x", "is not a whole number of at least 1"),
        ("--rate=0", "is not a rate"),
        ("--rate=fast", "is not a rate"),
        *(
            (f"--slo={each}", "is not a number of seconds")
            for each in ("ttft", "ttft=", "ttft=x", "ttft=-1", "ttft=inf")
        ),
        *((f"--slo={each}", "is not a limit") for each in ("speed=1", "ttft=1,,tpot=1")),
    ],
)
def test_a_wrong_option_is_refused_before_the_first_request(
    capsys: pytest.CaptureFixture[str], option: str, words: str
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["http://127.0.0.1:1", option])
    assert left.value.code == 2
    assert words in capsys.readouterr().err


def test_limits_are_read() -> None:
    assert parse_limits("ttft=0.5, tpot=0.05") == {"ttft": 0.5, "tpot": 0.05}
