"""The program itself, started as a person starts it; --allowed-hosts: a website whose name points here gets nothing."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import fields
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from demo.api.server import Server, choose_hostname
from demo.engines.local.runners.cpu_llama.kernels import kernel_cache_dir
from demo.errors import SettingError
from demo.settings import Settings, format_flag
from tests.engines.local.tiny_files import save_folder, write_gguf
from tests.figures.tab import open_tabs

ROOT = Path(__file__).parent.parent
LOADED = "Ready to answer"
SHUTDOWN_SECONDS = 5.0
PATIENCE = 60.0
ALLOWED, REFUSED = 200, 421
HTTP = httpx2.Client(headers={"Connection": "close"}, timeout=PATIENCE, trust_env=False)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return make_environment(tmp_path)


def make_environment(folder: Path) -> dict[str, str]:
    """A first start, but with the kernels compiled."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DEMO_", "SPACE_"))}
    return kept | {
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(folder / "hub"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "NUMBA_CACHE_DIR": str(kernel_cache_dir()),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_folder(tmp_path_factory.mktemp("models") / "tiny")


def run(arguments: Sequence[str], environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "app.py", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


@contextmanager
def start(arguments: Sequence[str], environment: dict[str, str]) -> "Iterator[subprocess.Popen[str]]":
    with subprocess.Popen(
        [sys.executable, "app.py", *arguments], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: "subprocess.Popen[str]", words: str) -> list[str]:
    """The lines on stderr up to the one with `words`."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line.rstrip("\n"))
        if words in line:
            return lines
    raise AssertionError(f"{words!r} was never printed: {lines}")


def end(process: "subprocess.Popen[str]", by: signal.Signals) -> tuple[float, str]:
    """Seconds until the process had ended, and what else it printed."""
    sent = time.perf_counter()
    process.send_signal(by)
    _, rest = process.communicate(timeout=PATIENCE)
    return time.perf_counter() - sent, rest


def assert_page(url: str) -> None:
    page = HTTP.get(url)
    assert page.status_code == 200
    assert "Token streaming" in page.text


def url_in(lines: list[str]) -> str:
    match = re.fullmatch(r"Listening on (http://\S+:\d+)", lines[-1])
    assert match, lines
    return match[1]


def test_help_exits_0_and_lists_every_setting(environment: dict[str, str]) -> None:
    ended = run(["--help"], environment)
    assert (ended.returncode, ended.stderr) == (0, "")
    for setting in fields(Settings):
        assert format_flag(setting) in ended.stdout


def test_recorded_runs_are_served_without_any_model(environment: dict[str, str]) -> None:
    with start(["--port", "0", "--replay-only", "--model-id", "/no/such/model"], environment) as process:
        lines = read_until(process, "Listening on")
        url = url_in(lines)
        assert any("6 recorded runs, because of --replay-only" in line for line in lines)
        assert_page(url)
        assert HTTP.get(f"{url}/info").json()["model_id"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
        assert "torch" not in Path(f"/proc/{process.pid}/maps").read_text()
        seconds, rest = end(process, signal.SIGTERM)
        assert process.returncode == -signal.SIGTERM
        assert seconds < SHUTDOWN_SECONDS
        assert "Traceback" not in rest


def test_a_setting_that_cannot_be_used_exits_2_with_one_line(environment: dict[str, str]) -> None:
    ended = run([], environment | {"DEMO_DTYPE": "float8"})
    assert ended.returncode == 2
    (sentence,) = ended.stderr.splitlines()
    assert "DEMO_DTYPE is 'float8': it must be one of " in sentence
    assert ended.stdout == ""


def test_a_port_in_use_exits_2_with_one_sentence(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run(["--port", str(port)], environment)
    assert ended.returncode == 2
    choice, sentence = ended.stderr.splitlines()
    assert choice.startswith("hostname=127.0.0.1 (")
    assert f"--port {port} can't be listened on (Address already in use): choose another port" in sentence


def test_an_unknown_model_exits_2_with_one_sentence_after_the_page_was_up(environment: dict[str, str]) -> None:
    with start(["--model-id", "nobody/no-such-model", "--port", "0"], environment) as process:
        assert_page(url_in(read_until(process, "Listening on")))
        _, rest = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    *choices, sentence = rest.splitlines()
    assert all(re.fullmatch(r"\w+=.+ \(.+\)", choice) for choice in choices), choices
    assert sentence.startswith("nobody/no-such-model is not in the local cache and the hub can't be reached: ")


def test_with_keep_serving_a_missing_model_leaves_the_page_health_says_why_and_it_is_loaded_when_the_operator_asks(
    folder: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    model = tmp_path / "later"
    with start(["--model-id", str(model), "--keep-serving", "--port", "0"], environment) as process:
        url = url_in(read_until(process, "Listening on"))
        *_, line = read_until(process, "Loading is tried again in")
        assert str(model) in line
        health = HTTP.get(f"{url}/health")
        assert health.status_code == 503
        assert str(model) in health.json()["error"]
        assert 200 < int(health.headers["Retry-After"]) <= 300
        assert_page(url)
        model.symlink_to(folder)
        assert HTTP.post(f"{url}/reload", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 403
        reply = HTTP.post(f"{url}/reload")
        assert (reply.status_code, reply.json()) == (202, {"status": "loading"})
        read_until(process, LOADED)
        assert HTTP.get(f"{url}/health").status_code == 200
        assert HTTP.post(f"{url}/reload").status_code == 409
        _, rest = end(process, signal.SIGTERM)
    assert "Traceback" not in rest


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT], ids=lambda by: str(by.name))
def test_it_prints_every_choice_with_its_reason_serves_and_ends_on_a_signal_also_while_a_page_is_open(
    by: signal.Signals, folder: Path, environment: dict[str, str]
) -> None:
    with start(["--model-id", str(folder), "--port", "0"], environment) as process:
        before = read_until(process, "Listening on")
        assert_page(url_in(before))
        choices = [*before[:-1], *read_until(process, LOADED)[:-1]]
        with open_tabs(url_in(before)) if by is signal.SIGINT else nullcontext():
            seconds, rest = end(process, by)
    assert [choice.partition("=")[0] for choice in choices] == [
        *("hostname", "allowed_hosts", "page", "public"),
        *("threads", "device", "model", "dtype", "max_total_tokens", "kv_cache_memory"),
    ]
    assert all(re.fullmatch(r"\w+=.+ \(.+\)", choice) for choice in choices), choices
    assert rest == ""
    assert seconds < SHUTDOWN_SECONDS
    assert process.returncode == -by


@pytest.mark.parametrize(
    ("moment", "by"), [("hostname=", signal.SIGINT), ("Listening on", signal.SIGTERM), ("dtype=", signal.SIGINT)]
)
def test_a_signal_before_the_model_is_there_ends_it_in_time_and_without_a_traceback(
    moment: str, by: signal.Signals, environment: dict[str, str]
) -> None:
    del environment["NUMBA_CACHE_DIR"]  # the kernels are being compiled
    with start(["--port", "0"], environment) as process:
        read_until(process, moment)
        seconds, rest = end(process, by)
    assert "Traceback" not in rest
    assert "Error" not in rest
    assert seconds < SHUTDOWN_SECONDS
    assert process.returncode == -by


def test_a_gguf_file_is_converted_with_a_bar_and_nothing_else_is_printed(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    gguf = write_gguf(tmp_path / "small.gguf")
    with start(["--model-id", str(gguf), "--dtype", "float32", "--port", "0"], environment) as process:
        *lines, _ = read_until(process, LOADED)
    bars = [line for line in lines if "%|" in line]
    assert bars
    others = [line for line in lines if line and line not in bars and not line.startswith("Listening on")]
    assert all(re.fullmatch(r"\w+=.+ \(.+\)", line) for line in others), others


@pytest.mark.parametrize(
    ("settings", "environment", "chosen"),
    [
        (Settings(), {}, "127.0.0.1"),
        (Settings(), {"SPACE_ID": "someone/space"}, "0.0.0.0"),
        (Settings(hostname="::1"), {"SPACE_ID": "someone/space"}, "::1"),
        (Settings(), {"HOSTNAME": "a3f9c2"}, "127.0.0.1"),
    ],
)
def test_a_space_is_served_to_other_machines_and_elsewhere_it_is_this_machine_alone(
    settings: Settings, environment: dict[str, str], chosen: str
) -> None:
    choice = choose_hostname(settings, environment)
    assert choice.value == chosen
    assert choice.reason


@pytest.mark.parametrize("hostname", ["no.such.host.invalid", "a" * 70 + ".com", "999.1.1.1", "203.0.113.7", "a:b"])
def test_an_address_that_is_not_this_machines_is_one_sentence(hostname: str) -> None:
    with pytest.raises(SettingError) as refusal:
        Server(Settings(hostname=hostname, port=0), {})
    assert str(refusal.value).startswith(f"--hostname {hostname} with --port 0 can't be listened on (")
    assert len(str(refusal.value).splitlines()) == 1


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The program's port; one process for all hosts."""
    arguments = ["--port", "0", "--replay-only", "--no-ui", "--allowed-hosts", "demo.example,*.lan"]
    with start(arguments, make_environment(tmp_path_factory.mktemp("home"))) as process:
        yield urlsplit(url_in(read_until(process, "Listening on"))).port or 0


def ask(port: int, target: str, *hosts: str) -> int:
    """The status of a request with these Host headers."""
    head = "".join(
        [f"GET {target} HTTP/1.1\r\n", *(f"Host: {host}\r\n" for host in hosts), "Connection: close\r\n\r\n"]
    )
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(head.encode())
        return int(connection.makefile("rb").readline().split()[1])


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", ALLOWED),
        ("localhost:{port}", ALLOWED),
        ("127.0.0.1:{port}", ALLOWED),
        ("[::1]:{port}", ALLOWED),
        ("demo.example", ALLOWED),
        ("printer.lan", ALLOWED),
        ("rebound.example:{port}", REFUSED),
        ("localhost.rebound.example", REFUSED),
        ("demo.example.rebound.example", REFUSED),
        ("[2001:db8::1]", REFUSED),
        ("lan", REFUSED),
    ],
)
def test_only_own_and_allowed_names_are_answered(port: int, host: str, status: int) -> None:
    assert ask(port, "/health", host.format(port=port)) == status


def test_of_an_absolute_target_its_own_host_counts_and_not_the_header(port: int) -> None:
    assert ask(port, f"http://localhost:{port}/health", "rebound.example") == ALLOWED
    assert ask(port, f"http://rebound.example:{port}/health", "localhost") == REFUSED


@pytest.mark.parametrize("hosts", [(), ("",), ("localhost", "rebound.example"), ("rebound.example", "localhost")])
def test_a_request_that_names_no_host_or_two_is_not_answered(port: int, hosts: tuple[str, ...]) -> None:
    assert ask(port, "/health", *hosts) in (400, REFUSED)
