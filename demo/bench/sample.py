"""One request as its client saw it: what arrived when, made into numbers. Pure; knows no connection."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from demo.bench.dialects import Dialect, Json, Mode, ServerTimes, read_count, read_error, read_server_times
from demo.bench.sse import DONE, EventStream
from demo.errors import DemoError
from demo.metrics import Timeline


class Unmeasured(DemoError):
    """A request that can't be measured, and why."""

    kind = "bench"


@dataclass(frozen=True, slots=True)
class Arrivals:
    """A response with the moments of its parts, by the client's `time.perf_counter`.

    `sent` is just before the request is handed to the connection, `headers` when its headers had come, `end`
    when its body had ended. All events that came in one read have that read's time.
    """

    sent: float
    headers: float
    reads: Sequence[tuple[float, bytes]]
    end: float
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sample:
    """One request's measurement. All times in seconds since `sent`, except `sent` itself.

    `timeline.ttft`: until the first event with visible text. `timeline.tokens`: one event is one token; n of them
    have n - 1 gaps (ITL) and TPOT (last - first) / (n - 1). `timeline.total`: until the end of the body.
    A whole reply has no TTFT of its own, its first text is the total, and no times of single tokens.
    `count` is the number of tokens: of a stream its events, of a whole reply what it says.
    """

    text: str
    sent: float
    headers: float
    first_event: float | None
    timeline: Timeline
    total: float
    count: int | None
    server: ServerTimes


def read_sample(dialect: Dialect, mode: Mode, arrivals: Arrivals) -> Sample:
    """The numbers of a response. Raises Unmeasured where it is an error or of another dialect."""
    try:
        return (_read_streamed if mode == "streamed" else _read_whole)(dialect, arrivals)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        what = f"{type(error).__name__}: {error}"
        raise Unmeasured(
            f"The {mode} reply is not of the {dialect.name} dialect ({what}): choose another --dialect."
        ) from error


def _read_streamed(dialect: Dialect, arrivals: Arrivals) -> Sample:
    events = [(time - arrivals.sent, _decode(payload)) for time, payload in _split_events(arrivals.reads)]
    tokens = [(time, text) for time, event in events if (text := dialect.read_event(event)) is not None]
    if not tokens:
        raise Unmeasured("The stream ended without a single token: is this a streaming route, and is the prompt fit?")
    total = arrivals.end - arrivals.sent
    first_text = next((time for time, text in tokens if text), None)
    return Sample(
        text="".join(text for _, text in tokens),
        sent=arrivals.sent,
        headers=arrivals.headers - arrivals.sent,
        first_event=events[0][0],
        timeline=Timeline(ttft=first_text, tokens=tuple(time for time, _ in tokens), end=total),
        total=total,
        count=len(tokens),
        server=read_server_times(events[-1][1], arrivals.fields),
    )


def _read_whole(dialect: Dialect, arrivals: Arrivals) -> Sample:
    reply = _decode(b"".join(piece for _, piece in arrivals.reads))
    text = dialect.read_whole(reply)
    total = arrivals.end - arrivals.sent
    return Sample(
        text=text,
        sent=arrivals.sent,
        headers=arrivals.headers - arrivals.sent,
        first_event=None,
        timeline=Timeline(ttft=total if text else None, end=total),
        total=total,
        count=read_count(reply),
        server=read_server_times(reply, arrivals.fields),
    )


def _split_events(reads: Sequence[tuple[float, bytes]]) -> list[tuple[float, str]]:
    """Each event's payload with the time of the read that completed it."""
    stream = EventStream()
    return [(time, payload) for time, read in reads for payload in stream.feed(read) if payload != DONE]


def _decode(payload: str | bytes) -> Json:
    decoded = json.loads(payload)
    if (error := read_error(decoded)) is not None:
        raise Unmeasured(f"The server broke the request off: {error}")
    return decoded
