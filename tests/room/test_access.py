"""Who may do what in a room: codes that are wrong, old or guessed; keys; how many rooms and phones there may be."""

import json
import logging

import pytest

from demo.engine import Loading
from demo.engines.draining import Drain
from demo.room import registry, room
from demo.settings import Settings
from tests.room.classroom import Classroom
from tests.scripted import ScriptedEngine

pytestmark = pytest.mark.anyio


def mistype(code: str, number: int) -> str:
    """Another code, each number one of its own."""
    last = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
    return code[:-1] + [letter for letter in last if letter != code[-1]][number]


async def test_a_code_is_read_in_any_case_and_with_spaces() -> None:
    opened = await Classroom().open()
    code = opened.room["code"]
    assert (await opened.ask("POST", f"/rooms/{code.lower()}/phones")).status == 201
    assert (await opened.ask("POST", f"/rooms/{code[:3]} {code[3:]}/phones")).status == 201


@pytest.mark.parametrize("code", ["", "0OIL11", "ABC", "K7M2QXX"])
async def test_what_cannot_be_a_code_is_a_slip_and_no_guess(code: str) -> None:
    opened = await Classroom().open()
    replies = [await opened.ask("POST", f"/rooms/{code or '-'}/phones") for _ in range(15)]
    assert {reply.status for reply in replies} == {404}


async def test_codes_can_not_be_guessed_within_a_lesson() -> None:
    opened = await Classroom().open()
    wrong = [await opened.ask("POST", f"/rooms/{mistype(opened.room['code'], n)}/phones") for n in range(10)]
    assert {reply.status for reply in wrong} == {404}
    right = await opened.ask("POST", f"{opened.path}/phones")
    assert (right.status, right.body["error_type"]) == (429, "too_many_guesses")
    assert 0 < int(right.headers["retry-after"]) <= 60
    per_lesson = 10 * 3 * 60  # guesses of one network in three hours
    assert per_lesson * registry.MAX_ROOMS / 30**6 < 1e-4


async def test_who_guesses_does_not_shut_out_the_class_that_has_joined_from_there() -> None:
    opened = await Classroom().open(1)
    for number in range(12):
        await opened.ask("POST", f"/rooms/{mistype(opened.room['code'], number)}/phones")
    assert (await opened.ask("POST", f"{opened.path}/phones")).status == 201
    other = (await opened.ask("POST", "/rooms", {})).body
    assert (await opened.ask("POST", f"/rooms/{other['code']}/phones")).status == 429


@pytest.mark.parametrize("key", ["", "wrong", "é"])
async def test_only_the_teacher_leads(key: str) -> None:
    opened = await Classroom().open()
    headers = {"x-room-key": key}
    asked = [("GET", ""), ("GET", "/events"), ("GET", "/results"), ("GET", "/results.csv"), ("DELETE", "")]
    for method, part in asked:
        assert (await opened.ask(method, f"{opened.path}{part}", None, headers)).status == 403
    assert (await opened.ask("POST", f"{opened.path}/rounds", {"kind": "race"}, headers)).status == 403
    assert (await opened.ask("POST", f"{opened.path}/advance", None, headers)).status == 403
    assert (await opened.lead("GET")).status == 200


async def test_keys_can_not_be_guessed_either() -> None:
    opened = await Classroom().open()
    wrong = [await opened.ask("GET", opened.path, None, {"x-room-key": f"wrong{n}"}) for n in range(11)]
    assert [reply.status for reply in wrong] == [403] * 10 + [429]


async def test_a_phone_of_another_room_is_none_of_this_one() -> None:
    opened = await Classroom().open(1)
    other = (await opened.ask("POST", "/rooms", {})).body
    path = f"/rooms/{other['code']}/phones/{opened.phones[0].secret}"
    assert (await opened.ask("GET", path)).status == 404
    found = await opened.ask("GET", opened.phones[0].path)
    assert (found.status, found.body["number"]) == (200, 1)


async def test_a_full_room_gives_the_places_of_absent_phones_that_took_part_in_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room, "MAX_PHONES", 3)
    opened = await Classroom().open(2)
    idle, active = opened.phones
    never_came = (await opened.ask("POST", f"{opened.path}/phones")).body
    newcomer = await opened.join()
    assert newcomer.number == 4
    assert (await opened.ask("POST", f"{opened.path}/phones")).status == 409
    assert (await opened.ask("GET", f"{opened.path}/phones/{never_came['phone']}")).status == 404
    await opened.begin("predict")
    await active.answer(first=1.0, last=2.0)
    await active.stream.leave()
    assert (await opened.ask("POST", f"{opened.path}/phones")).status == 409
    await idle.stream.leave()
    await opened.join()
    assert (await opened.ask("GET", idle.path)).status == 404
    assert (await opened.ask("GET", active.path)).status == 200


@pytest.mark.parametrize("bound", ["MAX_ROOMS", "MAX_OF_ADDRESS"])
async def test_rooms_are_bounded(bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, bound, 1)
    opened = await Classroom().open()
    refused = await opened.ask("POST", "/rooms", {})
    assert (refused.status, refused.body["error_type"]) == (429, "overloaded")
    assert int(refused.headers["retry-after"]) > 1
    await opened.lead("DELETE")
    assert (await opened.ask("POST", "/rooms", {})).status == 201


async def test_opening_a_room_is_guarded_as_generation_is() -> None:
    opened = Classroom(settings=Settings(api_key="secret"))
    assert (await opened.ask("POST", "/rooms", {})).status == 401
    await opened.open(1, authorization="Bearer secret")
    assert opened.phones[0].number == 1


async def test_a_room_may_be_opened_while_the_model_loads() -> None:
    opened = Classroom(ScriptedEngine(Loading("reading")), settings=Settings())
    assert (await opened.ask("POST", "/rooms", {})).status == 201


async def test_the_log_names_no_code_no_key_and_no_phone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "demo.access")
    opened = await Classroom(settings=Settings()).open(1)
    await opened.ask("GET", f"/room/{opened.room['code']}")
    await opened.phones[0].answer(felt=1.0)
    await opened.phones[0].stream.leave()
    lines = [json.loads(record.message) for record in caplog.records if record.name == "demo.access"]
    paths = {line["path"] for line in lines}
    assert paths >= {"/room/{code}", "/rooms/{code}/phones", "/rooms/{code}/phones/{phone}/events"}
    for secret in (opened.room["code"], opened.room["key"], opened.phones[0].secret):
        assert secret not in caplog.text


async def test_a_room_closes_by_age_and_when_no_teacher_has_read_it_for_long() -> None:
    now = 0.0
    old = room.Room("K7M2QX", "en", "client", lambda: now)
    with old.attach_teacher():
        now = room.LIFE_SECONDS - 1
        assert (old.is_expired, old.expires_in) == (False, 1)
        now = room.LIFE_SECONDS
        assert old.is_expired
    left = room.Room("K7M2QX", "en", "client", lambda: now)
    with left.attach_teacher():
        now += room.UNREAD_SECONDS + 1
        assert not left.is_expired
    now += room.UNREAD_SECONDS
    assert not left.is_expired
    now += 1
    assert left.is_expired


async def test_an_expired_room_says_so_and_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = await Classroom().open(1)
    monkeypatch.setattr(room, "LIFE_SECONDS", 0.0)
    assert await opened.phones[0].stream.until("closed") == {"why": "age"}
    assert (await opened.lead("GET")).status == 404


async def test_a_server_that_drains_ends_what_runs_and_then_closes_its_rooms() -> None:
    drain = Drain(30)
    opened = await Classroom(drain=drain).open(1)
    await opened.begin("race")
    opened.ticket().start()
    drain.begin()
    assert (await opened.ask("POST", "/rooms", {})).status == 503
    assert (await opened.lead("POST", "rounds", {"kind": "race"})).status == 503
    opened.ticket().write_last("one", "length")
    assert (await opened.phones[0].stream.until("end"))["finish"] == "length"
    assert await opened.phones[0].stream.until("closed") == {"why": "server"}
    await opened.phones[0].stream.visit.until_ended()
