"""The routes of OpenAI's Responses API: answer, and find, follow, cancel or delete what was answered."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from demo.api.client import Client
from demo.api.delivery.response_stream import ResponseStream
from demo.api.delivery.whole import WholeResponse
from demo.api.dialects.body import write_ignored
from demo.api.dialects.number_fields import Place
from demo.api.dialects.responses import ResponsesDialect, write_text
from demo.api.dialects.responses_request import ResponsesRequest
from demo.api.jobs.response_store import ResponseStore, StoredResponse
from demo.api.json_route import JsonRoute
from demo.api.openapi import documents, response_replies
from demo.api.routes.generation import find_card, start_runs
from demo.engine import Engine
from demo.prompt_threads import measure_prompt
from demo.request import Message


def build_response_routes(engine: Engine) -> APIRouter:
    """POST /v1/responses, and the routes of one response."""
    router, store = APIRouter(route_class=JsonRoute, prefix="/v1/responses", tags=["responses"]), ResponseStore()

    @router.post("", **documents.response())
    async def respond(client: Client, body: ResponsesRequest) -> Response:
        """Answer a text or a conversation, or continue an earlier response. OpenAI's newer route."""
        dialect = ResponsesDialect(find_card(engine), body)
        previous = store.find(body.previous_response_id) if body.previous_response_id else None
        response = await start_response(engine, client, dialect, previous)
        if body.stores:
            store.add(response)
        if body.background and not body.stream:
            return JSONResponse(response.write(), headers=write_ignored(body))
        reply = ResponseStream(response.run, dialect) if body.stream else WholeResponse([response.run], dialect)
        reply.early_headers |= write_ignored(body)
        return reply

    _add_routes_of_one_response(router, store)
    return router


async def start_response(
    engine: Engine, client: str, dialect: ResponsesDialect, previous: StoredResponse | None
) -> StoredResponse:
    """Start its run. Raises BadRequest, Overloaded or NotReady."""
    body = dialect.request
    body.check()
    conversation = body.messages() if previous is None else previous.continue_with(body.messages())
    size = measure_prompt(conversation) + len(body.instructions or "")
    (run,) = await start_runs(engine, client, size, lambda: [body.make_request(conversation)])
    return StoredResponse(dialect, conversation, run, client, run.attach() if body.background else None)


def _add_routes_of_one_response(router: APIRouter, store: ResponseStore) -> None:
    @router.get("/{id}", **documents.found_response())
    async def retrieve(
        id: str,
        stream: bool = False,
        starting_after: Annotated[Place | None, Query(description="The last `sequence_number` that you have.")] = None,
    ) -> Response:
        """A stored response; with `stream` its events after number `starting_after`, where a stream was cut."""
        response = store.find(id)
        if stream:
            return ResponseStream(response.run, response.dialect, -1 if starting_after is None else starting_after)
        return JSONResponse(response.write())

    @router.delete("/{id}", **documents.reply(response_replies.DeletedResponse, 404, 422))
    async def delete(id: str) -> response_replies.DeletedResponse:
        """Forget a response; one that is being answered stops within one token."""
        store.remove(store.find(id))
        return {"id": id, "object": "response", "deleted": True}

    @router.post("/{id}/cancel", **documents.reply(response_replies.ResponseObject, 404, 422))
    async def cancel(id: str) -> Response:
        """Stop a response within one token. One that has ended stays as it is."""
        response = store.find(id)
        response.run.cancel()
        async for _ in response.run.attach(waits_for_end=True):
            pass
        return JSONResponse(response.write())

    @router.get("/{id}/input_items", **documents.reply(response_replies.InputItems, 404, 422))
    async def list_input(id: str) -> response_replies.InputItems:
        """The messages that a response answers, newest first, without its instructions."""
        conversation = enumerate(store.find(id).conversation)
        items = [write_message(f"msg_{number}_{id}", message) for number, message in conversation][::-1]
        ids = [item["id"] for item in items]
        return {"object": "list", "data": items, "first_id": ids[0], "last_id": ids[-1], "has_more": False}


def write_message(id: str, message: Message) -> response_replies.InputMessage:
    part: response_replies.InputText | response_replies.OutputText = {"type": "input_text", "text": message.content}
    if message.role == "assistant":
        part = write_text(message.content)
    return {"id": id, "type": "message", "role": message.role, "status": "completed", "content": [part]}
