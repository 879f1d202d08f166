"""OpenAI's Responses API, as its own client reads it, over sockets and against a scripted engine."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import openai
import pytest
from openai.types.responses import Response, ResponseCompletedEvent

from demo.api.jobs import response_store
from demo.engine import Log, Ticket
from demo.errors import EngineFailed
from demo.request import Request, Sampling
from tests.api.client import PATIENCE, RESPONSES, ask, assert_refused, read_events
from tests.api.script import AnsweringEngine, Script, TicketEngine, make_token, open_api
from tests.api.serving import serve_api
from tests.scripted import ScriptedEngine

KINDS = ["created", "in_progress", "output_item.added", "content_part.added"]
LAST_KINDS = ["output_text.done", "content_part.done", "output_item.done"]


class PatientEngine(ScriptedEngine):
    """Answers with three tokens, the second of which shows nothing; what is asked to wait waits after the second."""

    def submit(self, request: Request, log: Log) -> Ticket:
        ticket = super().submit(request, log)
        self.tickets[-1].start(input_tokens=7, cached_tokens=5)
        self.tickets[-1].write("Good", "")
        if "wait" not in request.prompt[-1].content:  # type: ignore[index, union-attr]
            self.tickets[-1].write_last(" day", "length" if request.max_new_tokens == 3 else "eos_token")
        return ticket


@pytest.fixture(scope="module")
def engine() -> PatientEngine:
    return PatientEngine()


@pytest.fixture(scope="module")
def client(engine: PatientEngine) -> Iterator[openai.OpenAI]:
    """OpenAI's client as it is, which refuses a reply that its types do not have."""
    with (
        serve_api(engine) as url,
        openai.OpenAI(
            base_url=f"{url}/v1", api_key="-", max_retries=0, timeout=PATIENCE, _strict_response_validation=True
        ) as client,
    ):
        yield client


def assert_answered(response: Response) -> None:
    assert response.status == "completed"
    assert response.output_text == "Good day"
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens, response.usage.total_tokens) == (7, 3, 10)
    assert response.usage.input_tokens_details.cached_tokens == 5


def read_conversation(engine: PatientEngine) -> list[tuple[str, str]]:
    """What the model was last asked."""
    return [(each.role, each.content) for each in engine.tickets[-1].request.prompt]  # type: ignore[union-attr]


def test_a_text_is_answered_whole_with_all_that_was_asked_for(client: openai.OpenAI, engine: PatientEngine) -> None:
    limits: Any = {"temperature": 0.5, "top_p": 0.9, "max_output_tokens": 20}
    told: Any = {"instructions": "Be brief.", "metadata": {"lesson": "1"}, "user": "ada"}
    response: Response = client.responses.create(model="any", input="hi", **limits, **told)
    assert_answered(response)
    asked = engine.tickets[-1].request
    assert read_conversation(engine) == [("system", "Be brief."), ("user", "hi")]
    assert (asked.sampling.temperature, asked.sampling.top_p, asked.max_new_tokens) == (0.5, 0.9, 20)
    assert (response.metadata, response.user, response.instructions) == ({"lesson": "1"}, "ada", "Be brief.")
    assert (response.temperature, response.max_output_tokens, response.error) == (0.5, 20, None)


def test_messages_of_each_form_are_read(client: openai.OpenAI, engine: PatientEngine) -> None:
    first = client.responses.create(model="any", input="hi")
    items: list[Any] = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "input_text", "text": "h"}, {"type": "input_text", "text": "i"}]},
        *[item.model_dump() for item in first.output],
        {"type": "message", "role": "user", "content": "more"},
    ]
    client.responses.create(model="any", input=items, temperature=0)
    expected = [("system", "Be brief."), ("user", "hi"), ("assistant", "Good day"), ("user", "more")]
    assert read_conversation(engine) == expected
    assert not engine.tickets[-1].request.sampling.is_random


def test_every_event_is_one_that_the_clients_own_stream_adds_up(client: openai.OpenAI) -> None:
    with client.responses.stream(model="any", input="hi") as stream:
        events = list(stream)
    assert [event.type.removeprefix("response.") for event in events] == [
        *KINDS,
        *["output_text.delta"] * 3,  # one for each token, whether it shows or not
        *LAST_KINDS,
        "completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [event.delta for event in events if event.type == "response.output_text.delta"] == ["Good", "", " day"]
    assert isinstance(events[-1], ResponseCompletedEvent)
    assert_answered(events[-1].response)
    assert_answered(stream.get_final_response())


def test_a_length_that_is_reached_is_an_incomplete_response(client: openai.OpenAI) -> None:
    response = client.responses.create(model="any", input="hi", max_output_tokens=3)
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"
    *_, last = client.responses.create(model="any", input="hi", max_output_tokens=3, stream=True)
    assert last.type == "response.incomplete"
    assert last.response.output_text == "Good day"


def test_a_response_is_continued_without_its_instructions(client: openai.OpenAI, engine: PatientEngine) -> None:
    first = client.responses.create(model="any", input="hi", instructions="Be brief.")
    second = client.responses.create(model="any", input="more", previous_response_id=first.id)
    third = client.responses.create(model="any", input="end", previous_response_id=second.id, instructions="Shout.")
    talk = [("user", "hi"), ("assistant", "Good day"), ("user", "more"), ("assistant", "Good day"), ("user", "end")]
    assert read_conversation(engine) == [("system", "Shout."), *talk]
    assert third.previous_response_id == second.id
    items = client.responses.input_items.list(third.id)
    assert [item.role for item in items][::-1] == [role for role, _ in talk]  # type: ignore[union-attr]


def test_a_stored_response_is_found_until_it_is_deleted(client: openai.OpenAI) -> None:
    response = client.responses.create(model="any", input="hi")
    assert client.responses.retrieve(response.id) == response
    client.responses.delete(response.id)
    with pytest.raises(openai.NotFoundError, match="There is no response"):
        client.responses.retrieve(response.id)
    unstored = client.responses.create(model="any", input="hi", store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="any", input="more", previous_response_id=unstored.id)


def test_a_cut_stream_of_a_background_response_is_taken_up_again(client: openai.OpenAI, engine: PatientEngine) -> None:
    stream = client.responses.create(model="any", input="wait", background=True, stream=True)
    events = [next(stream) for _ in range(6)]
    stream.close()
    ticket = engine.tickets[-1]
    id, seen = events[0].response.id, events[4].sequence_number  # type: ignore[union-attr]
    assert not ticket.stopped.wait(0.3)
    assert client.responses.retrieve(id).status == "in_progress"
    again = client.responses.retrieve(id, stream=True, starting_after=seen)
    assert next(again) == events[5]
    ticket.write_last(" day", "eos_token")
    rest = list(again)
    assert [event.type.removeprefix("response.") for event in rest] == ["output_text.delta", *LAST_KINDS, "completed"]
    assert [event.sequence_number for event in rest] == list(range(6, 11))
    with client.responses.stream(response_id=id, starting_after=seen) as stream_again:
        assert_answered(stream_again.get_final_response())


def test_a_background_response_is_polled_and_cancelled(client: openai.OpenAI, engine: PatientEngine) -> None:
    response = client.responses.create(model="any", input="wait", background=True)
    assert response.status == "in_progress"
    with pytest.raises(openai.UnprocessableEntityError, match="has not ended"):
        client.responses.create(model="any", input="more", previous_response_id=response.id)
    cancelled = client.responses.cancel(response.id)
    assert cancelled.status == "cancelled"
    assert engine.tickets[-1].cancelled
    assert client.responses.cancel(response.id).status == "cancelled"
    *_, last = client.responses.retrieve(response.id, stream=True)
    assert last.type == "response.failed"  # OpenAI has no event for a response that was cancelled
    assert last.response.status == "cancelled"
    finished = client.responses.create(model="any", input="hi", background=True)
    assert_answered(client.responses.cancel(finished.id))


def test_without_background_the_work_stops_with_the_stream(client: openai.OpenAI, engine: PatientEngine) -> None:
    stream = client.responses.create(model="any", input="wait", stream=True)
    id = next(stream).response.id  # type: ignore[union-attr]
    stream.close()
    assert engine.tickets[-1].stopped.wait(PATIENCE)
    assert client.responses.retrieve(id).status == "cancelled"


def test_what_fails_in_a_stream_is_its_last_event(client: openai.OpenAI, engine: PatientEngine) -> None:
    stream = client.responses.create(model="any", input="wait", stream=True)
    next(stream)
    engine.tickets[-1].fail(EngineFailed("Request failed during generation: no memory."))
    *_, last = stream
    assert last.type == "response.failed"
    assert last.response.status == "failed"
    assert last.response.error is not None
    assert "no memory" in last.response.error.message


def test_sampling_is_as_asked_and_null_is_as_left_out() -> None:
    engine = AnsweringEngine()
    for fields in ({"temperature": 0.5, "top_p": 0.9, "seed": 5}, {"temperature": None, "top_p": None, "seed": None}):
        assert ask(open_api(engine), "POST", RESPONSES, json={"input": "hi", **fields}).is_success
    asked, left_out = (request.sampling for request in engine.requests)
    assert (asked.temperature, asked.top_p, asked.seed) == (0.5, 0.9, 5)
    assert left_out == Sampling(do_sample=True)


REFUSED: Sequence[tuple[dict[str, Any], str]] = [
    ({"tools": [{"type": "web_search"}]}, "`tools` is not available"),
    ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]}, "`input_image`"),
    ({"input": [{"type": "function_call_output", "call_id": "1", "output": "x"}]}, "`function_call_output`"),
    ({"input": [{"content": "hi"}]}, ": An input message has no `role`"),
    ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "`text.format` of type `json_schema`"),
    ({"text": {"format": "json"}}, "`text.format` of type `json`"),
    ({"text": {"verbosity": "low"}}, ": `text.verbosity` is not available on this server: leave it out."),
    ({"reasoning": {"effort": "high", "summary": "detailed"}}, "`summary` is not available"),
    ({"truncation": "auto"}, "`truncation` is not available"),
    ({"include": ["message.output_text.logprobs"]}, "`include` is not available"),
    ({"background": True, "store": False}, ": `background` needs `store`: leave `store` out, or set it to true."),
    ({"max_output_tokens": 0}, "`max_output_tokens`"),
    ({"input": ""}, "`input"),
]


@pytest.mark.parametrize(("fields", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_what_is_not_available_is_refused_in_one_sentence(fields: dict[str, Any], words: str) -> None:
    response = ask(open_api(), "POST", RESPONSES, json={"input": "hi", **fields})
    assert_refused(response, RESPONSES, 422, "validation", words)


def test_agents_that_ask_for_reasoning_to_send_back_are_answered() -> None:
    body = {"input": "hi", "include": ["reasoning.encrypted_content"], "store": False}
    assert ask(open_api(), "POST", RESPONSES, json=body).status_code == 200


# What is sent, and what the response then has of it.
LEFT_OUT: dict[str, Any] = {
    **{"background": False, "instructions": None, "max_output_tokens": None, "metadata": {}, "store": True},
    **{"parallel_tool_calls": True, "previous_response_id": None, "reasoning": {"effort": None, "summary": None}},
    **{"temperature": 1.0, "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [], "top_p": 1.0},
    **{"truncation": "disabled", "user": None},
}
ASKED: dict[str, Any] = {
    **{"instructions": "Be brief.", "max_output_tokens": 20, "metadata": {"lesson": "1"}, "parallel_tool_calls": False},
    **{"store": False, "temperature": 0.5, "top_p": 0.25, "user": "ada"},
}


@pytest.mark.parametrize(
    ("fields", "repeated"),
    [
        ({}, LEFT_OUT),
        (dict.fromkeys(ASKED), LEFT_OUT),
        ({**ASKED, "reasoning": {"effort": "high"}}, {**ASKED, "reasoning": {"effort": "high", "summary": None}}),
        ({"background": True}, {"background": True}),
    ],
    ids=["defaults", "null", "all", "background"],
)
def test_a_response_repeats_what_was_asked_and_says_when_it_was_complete(
    fields: dict[str, Any], repeated: dict[str, Any]
) -> None:
    api = open_api(AnsweringEngine(Script((make_token(1, "Hi", -0.5),), "eos_token")))
    reply = ask(api, "POST", RESPONSES, json={"input": "hi", **fields}).json()
    id = reply.pop("id").removeprefix("resp_")
    text = {"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []}
    message = {"type": "message", "role": "assistant", "status": "completed", "content": [text], "id": f"msg_{id}"}
    assert 0 <= reply.pop("completed_at") - reply.pop("created_at") < PATIENCE
    assert reply == {
        **{"object": "response", "status": "completed", "model": "scripted", "error": None, "incomplete_details": None},
        **{"output": [message], **LEFT_OUT, **repeated},
        "usage": {
            **{"input_tokens": 3, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0}},
            **{"output_tokens": 1, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 4},
        },
    }


def test_an_answer_of_no_token_is_a_response_without_an_item() -> None:
    body = {"input": "hi", "stream": True}
    events = read_events(ask(open_api(AnsweringEngine(Script((), "eos_token"))), "POST", RESPONSES, json=body).content)
    assert [event["type"] for event in events] == ["response.created", "response.in_progress", "response.completed"]
    assert events[-1]["response"]["output"] == []


def test_plain_text_may_be_asked_for_by_name() -> None:
    text = {"format": {"type": "text"}, "verbosity": "medium"}
    assert ask(open_api(), "POST", RESPONSES, json={"input": "hi", "text": text}).status_code == 200


def test_of_one_client_the_oldest_are_forgotten_first_and_never_one_that_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(response_store, "KEEP_OF_CLIENT", 2)
    engine = TicketEngine()
    app = open_api(engine)
    body = {"input": "hi", "background": True}
    replies = [ask(app, "POST", RESPONSES, json=body).json() for _ in range(4)]
    assert {reply["status"] for reply in replies} == {"queued"}
    for number in (1, 2, 3):
        engine.ticket(number).answer_now("x")
    statuses = [ask(app, "GET", f"{RESPONSES}/{reply['id']}").status_code for reply in replies]
    assert statuses == [200, 404, 200, 200]


def test_its_stream_names_its_events_and_never_waits_for_the_first_token() -> None:
    lines = ask(open_api(), "POST", RESPONSES, json={"input": "hi", "stream": True}).text.splitlines()
    assert lines[0] == "event: response.created"
    assert json.loads(lines[1].removeprefix("data: "))["response"]["status"] == "in_progress"
