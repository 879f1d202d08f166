"""The `state` event: all that a page needs to show a room from nothing, for the teacher and for a phone."""

from collections.abc import Mapping
from typing import Any

from demo.room.phone import Phone
from demo.room.room import Room
from demo.room.round import Round


def write_teacher_state(room: Room, url: str) -> dict[str, Any]:
    """What the projector shows."""
    round = room.round
    return {
        "code": room.code,
        "url": url,
        "language": room.language,
        "expires_in": room.expires_in,
        **room.write_presence(),
        **_write_run(room, round),
        "requests": room.requests,
        "results": room.results,
    }


def _write_run(room: Room, round: Round | None) -> Mapping[str, Any]:
    if round is None:
        return {"round": None, "text": "", "tokens": 0, "seconds": None, "ttft": None, "finish": None}
    outcome = round.outcome
    return {
        "round": round.write(),
        "text": room.text,
        "tokens": outcome.tokens,
        "seconds": None if outcome.finish is None else outcome.seconds,
        "ttft": outcome.ttft,
        "finish": outcome.finish,
        "positions": room.write_positions(),
        **room.count_answers(),
        "stops": round.write_savings() if round.stops else None,
    }


def write_phone_state(room: Room, phone: Phone) -> dict[str, Any]:
    """What a phone shows that joins, or comes back after it was away for long."""
    return {
        "code": room.code,
        "language": room.language,
        "number": phone.number,
        "animal": phone.animal,
        "colour": phone.colour,
        "arm": phone.arm,
        **_write_own_round(room, room.round, phone),
    }


def _write_own_round(room: Room, round: Round | None, phone: Phone) -> Mapping[str, Any]:
    if round is None:
        return {
            **{"round": None, "text": "", "tokens": 0, "ended": False, "stopped": False},
            **{"asked": None, "answered": False, "results": None},
        }
    is_over, text = round.outcome.finish is not None, find_text(room, round, phone)
    return {
        "round": round.write_for(phone.arm),
        "text": text,
        "tokens": count_tokens(round, phone) if text else 0,
        "ended": is_over,
        "stopped": phone.stopped is not None,
        "asked": round.find_asked(phone.number),
        "answered": round.has_answered(phone.number),
        "results": room.results[-1] if round.phase == "ended" else None,
    }


def find_text(room: Room, round: Round, phone: Phone) -> str:
    """What a phone has of the answer by now, in its arm."""
    if phone.arm == "whole" and round.outcome.finish is None:
        return ""
    return "" if phone.arm is None else room.text[: phone.stopped]


def count_tokens(round: Round, phone: Phone) -> int:
    stop = round.stops.get(phone.number)
    return round.outcome.tokens if stop is None else stop.tokens
