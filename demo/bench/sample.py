"""One request as its client saw it: the times at which the response arrived, as latencies. Pure: no I/O."""

import json
from codecs import getincrementaldecoder
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import IncrementalNewlineDecoder

from demo.bench.dialects import Dialect, Json, Mode, ServerTimes, read_count, read_error, read_server_times
from demo.errors import DemoError
from demo.metric_definitions import Chunk
from demo.metrics import Timeline

DONE = "[DONE]"  # the last payload of OpenAI's streams


class MeasurementError(DemoError):
    """Why a request or a server can't be measured."""

    kind = "bench"


@dataclass(frozen=True, slots=True)
class TimedResponse:
    """A response and the times of its parts, by the client's `time.perf_counter`.

    `sent` is just before the request is written to its open connection, and where requests have a schedule the time at
    which it was due; `lag` is how much later it was written. `headers`: when the headers have come, `end`: when the
    body has ended. All events that came in one read have that read's time.
    """

    status: int
    sent: float
    headers: float
    reads: Sequence[tuple[float, bytes]]
    end: float
    fields: Mapping[str, str] = field(default_factory=dict)
    lag: float = 0.0

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def body(self) -> bytes:
        return b"".join(read for _, read in self.reads)


@dataclass(frozen=True, slots=True)
class Sample:
    """One request's measurement. All times in seconds since `sent`, except `sent` itself.

    `timeline.ttft`: until the first event with visible text. `timeline.tokens`: one event is one token; n of them
    have n - 1 gaps (ITL) and TPOT (last - first) / (n - 1). `timeline.total`: until the end of the body.
    A whole reply has no TTFT of its own (its first text is the total) and no times of single tokens.
    `count` is the number of tokens: of a stream its events, of a whole reply what it reports. `lag` is how late it was
    sent, which is in every time. `chunks`: what other tools count.
    """

    text: str
    sent: float
    headers: float
    first_event: float | None
    timeline: Timeline
    total: float
    count: int | None
    server: ServerTimes
    lag: float = 0.0
    chunks: tuple[Chunk, ...] = ()


def read_sample(dialect: Dialect, mode: Mode, response: TimedResponse) -> Sample:
    """The latencies of a response. Raises MeasurementError where it is an error or of another dialect."""
    try:
        return (_read_streamed if mode == "streamed" else _read_whole)(dialect, response)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        what = f"{type(error).__name__}: {error}"
        raise MeasurementError(
            f"The {mode} reply is not of the {dialect.name} dialect ({what}): choose another --dialect."
        ) from error


def read_events(response: TimedResponse) -> list[tuple[float, Json]]:
    """Each server-sent event's JSON, with the time of the read that completed it."""
    return [(time, _decode(payload)) for time, payload in split_events(response.reads) if payload != DONE]


def split_events(reads: Sequence[tuple[float, bytes]]) -> Iterator[tuple[float, str]]:
    """The payloads of server-sent events, however the bytes were cut: `data` lines up to an empty line.

    https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
    """
    decoder = IncrementalNewlineDecoder(getincrementaldecoder("utf-8")("replace"), translate=True)
    rest = ""
    for time, read in reads:
        *events, rest = (rest + decoder.decode(read)).split("\n\n")
        for event in events:
            data = [line[5:].removeprefix(" ") for line in event.split("\n") if line.startswith("data:")]
            if data:
                yield time, "\n".join(data)


def measure_span(samples: Sequence[Sample]) -> float:
    """Seconds from the first request to the last end, of at least one sample."""
    return max(each.sent + each.total for each in samples) - min(each.sent for each in samples)


def describe_error(response: TimedResponse) -> str:
    """An error response's status, and the sentence in its body or the body's beginning."""
    text = response.body.decode(errors="replace")
    try:
        sentence = read_error(json.loads(text))
    except ValueError:
        sentence = None
    return f"answered {response.status}: {' '.join((sentence or text or 'nothing more').split())[:300]}"


def _read_streamed(dialect: Dialect, response: TimedResponse) -> Sample:
    events = [(time - response.sent, event) for time, event in read_events(response)]
    chunks = tuple(_list_chunks(dialect, events))
    tokens = [chunk for chunk in chunks if chunk.kind == "token"]
    if not tokens:
        raise MeasurementError("The stream ended without a token: is this a streaming route, and is the prompt valid?")
    return Sample(
        text="".join(token.text for token in tokens),
        sent=response.sent,
        headers=response.headers - response.sent,
        first_event=events[0][0],
        timeline=Timeline(
            ttft=next((token.time for token in tokens if token.text), None),
            tokens=tuple(token.time for token in tokens),
            end=response.end - response.sent,
        ),
        total=response.end - response.sent,
        count=len(tokens),
        server=read_server_times(events[-1][1], response.fields),
        lag=response.lag,
        chunks=chunks,
    )


def _list_chunks(dialect: Dialect, events: Sequence[tuple[float, Json]]) -> Iterator[Chunk]:
    """The chunks that carry a choice or a token: not the one with the usage."""
    opened = False
    for time, event in events:
        text = dialect.read_event(event)
        if text is not None:
            yield Chunk(time, text)
        elif event.get("choices"):
            yield Chunk(time, "", "closing" if opened else "opening")
        opened = opened or text is not None


def _read_whole(dialect: Dialect, response: TimedResponse) -> Sample:
    reply = _decode(response.body)
    text, total = dialect.read_whole(reply), response.end - response.sent
    return Sample(
        text=text,
        sent=response.sent,
        headers=response.headers - response.sent,
        first_event=None,
        timeline=Timeline(ttft=total if text else None, end=total),
        total=total,
        count=read_count(reply),
        server=read_server_times(reply, response.fields),
    )


def _decode(payload: str | bytes) -> Json:
    decoded = json.loads(payload)
    if (error := read_error(decoded)) is not None:
        raise MeasurementError(f"The server ended the request with an error: {error}")
    return decoded
