from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import pytest

from demo.bench.client import Client
from demo.bench.dialects import DIALECTS, Mode, Request
from demo.bench.sample import MeasurementError
from demo.bench.target import Target, choose_dialect, choose_model
from demo.errors import Overloaded
from tests.bench.fake_server import WORDS, FakeServer, Script, serve

NEAR = 0.002  # seconds


@contextmanager
def opened(script: Script | None = None, dialect: str = "native") -> Iterator[tuple[Target, FakeServer]]:
    with serve(script) as server:
        yield Target(Client(server.url, timeout=10), DIALECTS[dialect], Request("m", "Hello", len(WORDS))), server


@pytest.mark.parametrize("mode", ["streamed", "whole"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_ttft_tokens_and_total_agree_with_the_servers_own_stamps(dialect: str, mode: Mode) -> None:
    with opened(dialect=dialect) as (target, server):
        pairs = [(target.measure(mode), server.replies[-1]) for _ in range(9)]
    delays = [
        [sample.sent + sample.total - reply.end[0] for sample, reply in pairs],
        [reply.begun - sample.sent for sample, reply in pairs],
    ]
    if mode == "streamed":
        delays.append([sample.sent + (sample.timeline.ttft or 0) - reply.tokens[0] for sample, reply in pairs])
        delays.append([sample.sent + sample.timeline.tokens[-1] - reply.tokens[-1] for sample, reply in pairs])
    assert all(min(delay) >= 0 and median(delay) < NEAR for delay in delays)
    assert all(sample.text == "".join(WORDS) and sample.count == len(WORDS) for sample, _ in pairs)


@pytest.mark.parametrize("mode", ["streamed", "whole"])
def test_the_servers_own_times_are_read_and_are_within_the_clients(mode: Mode) -> None:
    with opened(Script(reports_times=True)) as (target, _):
        sample = target.measure(mode)
    assert sample.server.ttft is not None
    assert sample.server.total is not None
    assert sample.timeline.ttft is not None
    assert 0 < sample.server.ttft < sample.timeline.ttft
    assert sample.server.ttft < sample.server.total < sample.total


def test_status_429_is_overloaded_and_none_of_several_streams() -> None:
    with opened(Script(capacity=0)) as (target, _):
        with pytest.raises(Overloaded, match="answered 429: Model is overloaded"):
            target.measure("streamed")
        assert target.measure_together(2) == [None, None]


@pytest.mark.parametrize(
    ("script", "mode", "words"),
    [
        (Script(refusal=422), "whole", "/generate answered 422: no such thing"),
        (Script(breaks_after=2), "streamed", "out of memory"),
    ],
)
def test_an_error_status_and_an_error_event_are_quoted(script: Script, mode: Mode, words: str) -> None:
    with opened(script) as (target, _), pytest.raises(MeasurementError, match=words):
        target.measure(mode)


def test_auto_is_native_where_info_names_a_model_else_chat() -> None:
    with opened() as (native, _), opened(Script(is_native=False)) as (other, _):
        assert choose_dialect(native.client, "auto").name == "native"
        assert choose_dialect(other.client, "auto").name == "chat"
        assert choose_dialect(other.client, "completions").name == "completions"


def test_the_model_is_the_first_listed_else_tgi() -> None:
    with opened() as (target, server):
        elsewhere = Client(f"{server.url}/elsewhere", timeout=10)
        assert choose_model(target.client) == "fake/model"
        assert choose_model(elsewhere) == "tgi"
