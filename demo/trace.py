"""Trace: a run that has ended, as a value: exported as JSON, carried in a link, played again elsewhere.

Its times are seconds since the request was submitted, on the clock of the engine that recorded it. A file or a link is
not trusted: reading it gives a Trace that a run could have written, or raises an error of one sentence.
"""

import base64
import binascii
import gzip
import json
import math
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any, Final, TypeVar, get_args

from demo.engine import ModelCard
from demo.errors import BadRequest
from demo.events import Done, EngineReport, Event, FinishReason, ReasoningStart, Started, Token, is_elsewhere
from demo.json_size import measure_json
from demo.reasoning import read_raw
from demo.request import Message, Request, Role, Sampling, TokenIds, find_question, has_lone_surrogate
from demo.run import Run

VERSION: Final = 1
MAX_BYTES: Final = 2 * 1024 * 1024
MAX_TOKENS: Final = 8192
MAX_VALUES: Final = 8 * MAX_TOKENS  # a token is a list of five or six
MAX_SECONDS: Final = 3600.0
INVALID: Final = "This is not a recorded run: "
CHANGED: Final = "The link to this recorded run was cut off or changed: copy it again, whole."

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Trace:
    """One run: its request, the model, device and date of its answer, and its events, the last a Done.

    `elsewhere`: its engine was another server, its times are arrivals, and it began at an unknown time.
    `machine`: how the machine that recorded it is called; empty where only its device is known.
    """

    request: Request
    model_id: str
    device: str
    dtype: str
    recorded_on: date
    events: tuple[Event, ...]
    elsewhere: bool = False
    machine: str = ""

    @property
    def place(self) -> str:
        """Where it was recorded: the machine, or the device of one without a name."""
        return self.machine or self.device

    @property
    def pace(self) -> float | None:
        """The rate in tokens/s to which the run was slowed down, if it was."""
        return self.request.pace

    @property
    def question(self) -> str:
        return find_question(self.request.prompt)

    @property
    def tokens(self) -> tuple[Token, ...]:
        return tuple(event for event in self.events if isinstance(event, Token))


def trace_run(run: Run, card: ModelCard) -> Trace | None:
    """The trace of a run; None where it has not ended with a Done, or never started."""
    events, today = _shift_events(run), datetime.now(UTC).date()
    if events is None:
        return None
    return Trace(run.request, card.model_id, card.device, card.dtype, today, events, is_elsewhere(run.events))


def retrace_run(trace: Trace, run: Run) -> Trace | None:
    """The trace of a run that played `trace` at another pace: model, device and date are those of `trace`."""
    events = _shift_events(run)
    return None if events is None else replace(trace, request=run.request, events=events)


def _shift_events(run: Run) -> tuple[Event, ...] | None:
    """The events that a trace keeps; None where the run has not ended with a Done, or never started."""
    events = run.events
    if not isinstance(run.end, Done):
        return None
    started, *others = (event for event in events if isinstance(event, Started | Token | Done))
    if not isinstance(started, Started):
        return None
    kept = (_complete_start(started, events), *others)
    return tuple(replace(event, time=event.time - run.submitted) for event in kept)


def _complete_start(started: Started, events: Sequence[Event]) -> Started:
    """The start with the counts that an engine elsewhere told at the end of the run."""
    report = next((each for each in events if isinstance(each, EngineReport)), None)
    if report is None:
        return started
    return replace(started, input_tokens=report.input_tokens, cached_tokens=report.cached_tokens)


def write_trace(trace: Trace) -> dict[str, Any]:
    """As JSON. A token is [seconds, id, text, logprob, special], and how much of its text is told to be reasoning."""
    started, *_, done = trace.events
    assert isinstance(started, Started)
    assert isinstance(done, Done)
    prompt = trace.request.prompt
    assert not isinstance(prompt, TokenIds), "only the page's runs are recorded"
    return {
        "version": VERSION,
        "model_id": trace.model_id,
        "device": trace.device,
        "dtype": trace.dtype,
        "made": trace.recorded_on.isoformat(),  # the key that files and links have always had
        "pace": trace.pace,
        "prompt": prompt if isinstance(prompt, str) else [_write_message(message) for message in prompt],
        "max_new_tokens": trace.request.max_new_tokens,
        "ignore_eos": trace.request.ignore_eos,
        "sampling": _write_sampling(trace.request.sampling),
        "started": _round(started.time),
        "input_tokens": started.input_tokens,
        "cached_tokens": started.cached_tokens,
        "seed": started.seed,
        **({"reasoning": started.reasoning} if started.reasoning != "none" else {}),
        "tokens": [_write_token(token, started.reasoning) for token in trace.tokens],
        "end": _round(done.time),
        "finish_reason": done.finish_reason,
        **({"elsewhere": True} if trace.elsewhere else {}),
        **({"machine": trace.machine} if trace.machine else {}),
    }


def read_trace(text: str) -> Trace:
    """The trace of a JSON text. Raises BadRequest: one sentence that says what is wrong with it."""
    if excess := measure_json(text).find_excess(MAX_VALUES):
        raise BadRequest(f"{INVALID}it holds {excess}.")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise BadRequest(f"{INVALID}it is not JSON.") from None
    if not isinstance(document, dict) or document.get("version") != VERSION:
        raise BadRequest(f"{INVALID}its `version` is not {VERSION}, the only one that can be played.")
    request = Request(
        _read_prompt(document.get("prompt")),
        _take_or_none(document, "max_new_tokens", int),
        Sampling(**_read_sampling(_take(document, "sampling", dict))),
        ignore_eos=_take(document, "ignore_eos", bool),
        pace=_take_or_none(document, "pace", float),
    )
    return Trace(
        request,
        _take(document, "model_id", str),
        _take(document, "device", str),
        _take(document, "dtype", str),
        _read_date(_take(document, "made", str)),
        _read_events(document),
        _take_or_none(document, "elsewhere", bool) or False,
        _take_or_none(document, "machine", str) or "",
    )


def write_fragment(trace: Trace) -> str:
    """The trace as text for the end of an address: JSON, gzip (RFC 1952, with its checksum), base64url (RFC 4648)."""
    text = json.dumps(write_trace(trace), ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode().rstrip("=")


def read_fragment(fragment: str) -> Trace:
    """The trace that `write_fragment` wrote. Raises BadRequest; never unpacks more than `MAX_BYTES`."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        packed = base64.b64decode(fragment + "=" * (-len(fragment) % 4), altchars=b"-_", validate=True)
        text = unpacker.decompress(packed, MAX_BYTES)
    except (binascii.Error, ValueError, zlib.error):
        raise BadRequest(CHANGED) from None
    if not unpacker.eof or unpacker.unused_data:
        raise BadRequest(CHANGED)
    return read_trace(text.decode(errors="replace"))


def _round(number: float) -> float:
    return round(number, 6)


def _write_token(token: Token, start: ReasoningStart) -> list[Any]:
    """The text is with a mark of reasoning that is a special token, since a trace has no tokens by themselves."""
    text, logprob = read_raw(token, start), token.logprob and _round(token.logprob)
    reasoned = [token.reasoned] if token.reasoned else []
    return [_round(token.time), token.id, text, logprob, token.special, *reasoned]


def _write_message(message: Message) -> dict[str, str]:
    return {name: text for name, text in asdict(message).items() if text is not None}


def _write_sampling(sampling: Sampling) -> dict[str, Any]:
    """The parameters that differ from their default."""
    default = asdict(Sampling())
    return {name: value for name, value in asdict(sampling).items() if value != default[name]}


def _read_sampling(document: dict[str, Any]) -> dict[str, Any]:
    kinds: dict[str, type] = {"do_sample": bool, "top_k": int, "seed": int}
    if not asdict(Sampling()).keys() >= document.keys():
        raise BadRequest(f"{INVALID}`sampling` holds an unknown parameter.")
    return {name: _take(document, name, kinds.get(name, float)) for name in document}


def _read_prompt(prompt: object) -> str | tuple[Message, ...]:
    if isinstance(prompt, str):
        return prompt
    if not isinstance(prompt, list) or not all(isinstance(each, dict) for each in prompt):
        raise BadRequest(f"{INVALID}`prompt` is neither a text nor a conversation.")
    if any(each.get("role") not in get_args(Role) for each in prompt):
        raise BadRequest(f"{INVALID}a message of `prompt` has an unknown role.")
    return tuple(
        Message(each["role"], _take(each, "content", str), _take_or_none(each, "reasoning", str)) for each in prompt
    )


def _read_date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadRequest(f"{INVALID}`made` is not a date.") from None


def _read_events(document: dict[str, Any]) -> tuple[Event, ...]:
    rows = _take(document, "tokens", list)
    if len(rows) > MAX_TOKENS or not all(isinstance(row, list) and len(row) in (5, 6) for row in rows):
        raise BadRequest(f"{INVALID}`tokens` must be at most {MAX_TOKENS} rows of five or six.")
    if document.get("finish_reason") not in get_args(FinishReason):
        raise BadRequest(f"{INVALID}`finish_reason` is unknown.")
    events: list[Event] = [
        _read_start(document),
        *(_read_token(row, index) for index, row in enumerate(rows, start=1)),
        Done(_take(document, "end", float), document["finish_reason"], len(rows)),
    ]
    _check_times([event.time for event in events])
    return tuple(events)


def _read_start(document: dict[str, Any]) -> Started:
    """`cached_tokens` is missing in runs that were recorded before the engine had a prefix cache."""
    time, seed = _take(document, "started", float), _take_or_none(document, "seed", int)
    read = _take_or_none(document, "input_tokens", int)
    cached = _take_or_none(document, "cached_tokens", int) if "cached_tokens" in document else 0
    if not 0 <= (cached or 0) <= (cached or 0 if read is None else read):
        raise BadRequest(f"{INVALID}`cached_tokens` must be from 0 to `input_tokens`.")
    reasoning: ReasoningStart = document.get("reasoning", "none")
    if reasoning not in get_args(ReasoningStart):
        raise BadRequest(f"{INVALID}`reasoning` is unknown.")
    return Started(time, read, seed, cached, reasoning=reasoning)


def _read_token(row: list[Any], index: int) -> Token:
    kinds = {"time": float, "text": str, "special": bool, "reasoned": int}
    token = dict(zip(("time", "id", "text", "logprob", "special", "reasoned"), [*row, 0], strict=False))
    known: dict[str, Any] = {name: _take(token, name, kind) for name, kind in kinds.items()}
    if known["reasoned"] < 0:
        raise BadRequest(f"{INVALID}`reasoned` must not be negative.")
    id, logprob = _take_or_none(token, "id", int), _take_or_none(token, "logprob", float)
    return Token(index=index, id=id, logprob=logprob, **known)


def _check_times(times: Sequence[float]) -> None:
    in_order = all(earlier <= later for earlier, later in pairwise(times))
    if not in_order or not times[0] >= 0 or not times[-1] <= MAX_SECONDS:
        raise BadRequest(f"{INVALID}its times are not in order.")


def _take(document: dict[str, Any], name: str, kind: type[T]) -> T:
    """The value of `name`, whose type must be exactly `kind`, except that an int may stand for a float."""
    value = document.get(name)
    if kind is float and type(value) is int:
        value = float(value) if abs(value) < 2**53 else math.nan
    fits = type(value) is kind and not (isinstance(value, float) and not math.isfinite(value))
    if not fits or (isinstance(value, str) and has_lone_surrogate(value)):
        raise BadRequest(f"{INVALID}`{name}` is missing or has an invalid value.")
    assert isinstance(value, kind)
    return value


def _take_or_none(document: dict[str, Any], name: str, kind: type[T]) -> T | None:
    return None if document.get(name) is None else _take(document, name, kind)
