"""A run as a value to keep: what is written is read again, and what was tampered with is one sentence."""

import base64
import gzip
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.errors import BadRequest, EngineFailed
from demo.events import EngineReport, PromptProgress, Sent, Started
from demo.request import Message, Request, Sampling
from demo.run import Run
from demo.trace import (
    CHANGED,
    MAX_BYTES,
    MAX_TOKENS,
    MAX_VALUES,
    Trace,
    read_fragment,
    read_trace,
    trace_run,
    write_fragment,
    write_trace,
)
from tests.scripted import CARD, ScriptedEngine
from tests.traces import make_trace

TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), max_size=30)
SAMPLINGS = st.builds(
    Sampling,
    do_sample=st.booleans(),
    temperature=st.floats(0.1, 3),
    top_k=st.none() | st.integers(1, 100),
    seed=st.none() | st.integers(0, 2**53),
)
TRACES = st.builds(
    make_trace,
    texts=TEXTS,
    gap=st.floats(0.002, 1).map(lambda gap: round(gap, 4)),
    pace=st.none() | st.floats(1, 100),
    cached_tokens=st.integers(0, 10),
    request=st.builds(
        Request,
        prompt=st.just("Once") | st.just((Message("system", "Be kind."), Message("user", "Hello"))),
        max_new_tokens=st.none() | st.integers(1, 2000),
        sampling=SAMPLINGS,
        ignore_eos=st.booleans(),
    ),
)


def document(**changes: Any) -> str:
    return json.dumps({**write_trace(make_trace()), **changes})


def round_times(trace: Trace) -> Trace:
    return replace(trace, events=tuple(replace(event, time=round(event.time, 6)) for event in trace.events))


@given(TRACES, st.sampled_from(["", "AMD EPYC (2 cores)", "机器"]))
def test_what_is_written_is_read_again_as_json_and_as_a_link(trace: Trace, machine: str) -> None:
    trace = replace(trace, machine=machine)
    assert read_trace(json.dumps(write_trace(trace))) == round_times(trace)
    assert read_fragment(write_fragment(trace)) == round_times(trace)


def test_a_run_is_kept_with_its_model_its_day_and_what_an_engine_elsewhere_told() -> None:
    engine = ScriptedEngine()
    run = Run(engine, Request("Hello"))
    (ticket,) = engine.tickets
    ticket._log(Sent(0.5))
    ticket.start_with("Hi")
    ticket._log(EngineReport(1.0, 12, 4))
    ticket.finish("eos_token")
    card = replace(CARD, device="tpu", dtype="int4")
    trace = trace_run(run, card)
    assert trace is not None
    assert (trace.model_id, trace.device, trace.dtype, trace.elsewhere) == (card.model_id, "tpu", "int4", True)
    assert abs(datetime.now(UTC).date() - trace.recorded_on) <= timedelta(days=1)
    started = trace.events[0]
    assert isinstance(started, Started)
    assert (started.input_tokens, started.cached_tokens) == (12, 4)


def test_the_same_run_is_the_same_link_which_needs_no_escapes() -> None:
    for length in range(1, 4):  # of whose base64 some would end with `=`
        fragment = write_fragment(make_trace(["日" * length]))
        assert re.fullmatch(r"[\w-]+", fragment, re.ASCII)
        assert fragment == write_fragment(make_trace(["日" * length]))
        with pytest.raises(BadRequest):
            read_fragment(fragment[:9] + "!" + fragment[9:])
    packed = write_fragment(make_trace())
    document = gzip.decompress(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))).decode()
    assert "🧀" in document
    assert '": ' not in document


def test_a_run_that_was_recorded_before_there_was_a_cache_had_nothing_cached() -> None:
    old = json.loads(document())
    del old["cached_tokens"]
    assert read_trace(json.dumps(old)).events == round_times(make_trace()).events


def test_which_client_asked_is_kept_in_no_trace() -> None:
    trace = make_trace(request=Request("Hello", client="session:abc"))
    assert "client" not in write_trace(trace)
    assert read_trace(json.dumps(write_trace(trace))).request.client is None


def read_or_refuse(text: str, read: Callable[[str], Trace]) -> Trace | str:
    """A trace, or the sentence that refused it; anything else raises."""
    try:
        return read(text)
    except BadRequest as refusal:
        return str(refusal)


@given(TRACES, st.data())
def test_a_link_with_one_character_changed_is_a_sentence_or_the_same_run(trace: Trace, data: st.DataObject) -> None:
    fragment = write_fragment(trace)
    at = data.draw(st.integers(0, len(fragment) - 1))
    other = data.draw(st.sampled_from("ABCxyz019-_ %&é"))
    # The same: what gzip does not protect, bits of its header and of the last character that mean nothing.
    assert read_or_refuse(fragment[:at] + other + fragment[at + 1 :], read_fragment) in (CHANGED, round_times(trace))


@given(TRACES, st.integers(0, 200))
def test_a_link_that_was_cut_off_is_a_sentence(trace: Trace, missing: int) -> None:
    fragment = write_fragment(trace)
    with pytest.raises(BadRequest, match="copy it again"):
        read_fragment(fragment[: max(len(fragment) - 4 - missing, 0)])


def test_a_link_does_not_depend_on_the_time_at_which_it_is_written() -> None:
    packed = base64.urlsafe_b64decode(write_fragment(make_trace()) + "==")
    assert packed[4:8] == bytes(4)  # gzip's time of the file (RFC 1952)


@given(st.text(max_size=300))
def test_whatever_stands_in_a_link_is_at_worst_a_sentence(text: str) -> None:
    with pytest.raises(BadRequest):
        read_fragment(text)


def test_a_link_to_what_is_not_utf_8_is_a_sentence() -> None:
    with pytest.raises(BadRequest, match="not a recorded run"):
        read_fragment(base64.urlsafe_b64encode(gzip.compress(b'{"x": "\xff"}')).decode().rstrip("="))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers(), st.lists, max_leaves=4
)


@given(ANYTHING, st.sampled_from(list(write_trace(make_trace()))))
def test_any_field_may_hold_anything(value: object, name: str) -> None:
    read = read_or_refuse(json.dumps({**json.loads(document()), name: value}), read_trace)
    assert isinstance(read, Trace) or read.endswith(".")


def test_a_link_never_unpacks_into_more_than_a_run_can_be() -> None:
    huge = make_trace(["a" * MAX_BYTES])
    with pytest.raises(BadRequest, match="copy it again"):
        read_fragment(write_fragment(huge))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 2}, "`version` is not 1"),
        ({"tokens": [[1, 2, 3]]}, "rows of five"),
        ({"tokens": [["soon", 1, "a", -1.0, False]]}, "`time`"),
        ({"tokens": [[0.5, 1, "\ud800", -1.0, False]]}, "`text`"),
        ({"tokens": [[0.5, 1, "a", float("nan"), False]]}, "`logprob`"),
        ({"end": 0.01}, "times"),
        ({"end": 1e9}, "times"),
        ({"started": -1}, "times"),
        ({"finish_reason": "boredom"}, "finish_reason"),
        ({"prompt": 7}, "`prompt`"),
        ({"cached_tokens": -1}, "`cached_tokens`"),
        ({"cached_tokens": 11}, "`cached_tokens`"),
        ({"cached_tokens": "9"}, "`cached_tokens`"),
        ({"prompt": [{"role": "king", "content": "Hello"}]}, "role"),
        ({"prompt": []}, "empty"),
        ({"made": "yesterday"}, "`made`"),
        ({"sampling": {"temperature": -1}}, "temperature is -1"),
        ({"sampling": {"wings": 2}}, "sampling"),
        ({"max_new_tokens": 0}, "max_new_tokens"),
        ({"pace": 0}, "pace is 0"),
        ({"device": None}, "`device`"),
    ],
)
def test_what_no_run_could_have_written_is_refused_in_one_sentence(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        read_trace(document(**changes))
    assert words in str(refusal.value)


def test_a_run_of_as_many_tokens_as_the_limit_is_read_and_one_more_is_refused() -> None:
    rows = [[0.01, 1, "a", -0.5, False]] * MAX_TOKENS
    assert len(read_trace(document(tokens=rows, end=0.01)).tokens) == MAX_TOKENS
    with pytest.raises(BadRequest, match=f"`tokens` must be at most {MAX_TOKENS} rows"):
        read_trace(document(tokens=[*rows, rows[0]], end=0.01))


def test_what_is_not_json_is_refused() -> None:
    for text in ("", "{", "[" * 100_000, "9" * 5000):
        with pytest.raises(BadRequest):
            read_trace(text)


def test_the_times_of_a_trace_are_seconds_since_it_was_submitted() -> None:
    engine = ScriptedEngine()
    run = Run(engine, Request("Hello", pace=30))
    assert trace_run(run, CARD) is None
    ticket = engine.tickets[0]
    ticket.start()
    ticket.read(128, 300)
    ticket.write("one ", "two")
    ticket.finish()
    trace = trace_run(run, CARD)
    assert trace is not None
    assert (trace.model_id, trace.question, trace.pace) == ("scripted", "Hello", 30)
    assert [token.text for token in trace.tokens] == ["one ", "two"]
    kept = [event for event in run.events if not isinstance(event, PromptProgress)]
    assert [event.time for event in trace.events] == [event.time - run.submitted for event in kept]


def test_a_run_that_broke_leaves_no_trace() -> None:
    engine = ScriptedEngine()
    run = Run(engine, Request("Hello"))
    engine.tickets[0].start()
    engine.tickets[0].fail(EngineFailed("It broke."))
    assert trace_run(run, CARD) is None


def test_a_run_of_too_many_values_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(BadRequest, match=f"more than {MAX_VALUES} JSON values"):
        read_trace('{"version": 1, "prompt": [' + "[]," * 600_000 + "[]]}")


def test_the_longest_run_that_can_be_played_is_read() -> None:
    trace = make_trace(["a,"] * MAX_TOKENS)
    assert len(read_fragment(write_fragment(trace)).tokens) == MAX_TOKENS
