"""What LlamaIndex makes of a server's replies: `python ask_llama_index.py PLAN` prints it as one JSON document."""

import asyncio
import json
import sys
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, TextBlock
from llama_index.llms.openai_like import OpenAILike
from openai import BadRequestError, RateLimitError

PLAN: Any = json.loads(sys.argv[1])
QUESTION: Any = ChatMessage(role="user", content=PLAN["question"])


def open_model(where: str = "url", is_chat_model: bool = True, **more: Any) -> Any:
    options: Any = {"model": "any", "api_key": "none", "max_tokens": PLAN["tokens"], "temperature": 0, **more}
    return OpenAILike(api_base=f"{PLAN[where]}/v1", is_chat_model=is_chat_model, **options)


def main() -> dict[str, Any]:
    chat = open_model(additional_kwargs={"stream_options": {"include_usage": True}})
    whole, pieces = chat.chat([QUESTION]), list(chat.stream_chat([QUESTION]))
    return {
        "whole": whole.message.content,
        "finish": whole.raw.choices[0].finish_reason,
        "usage": list_usage(whole),
        "pieces": [piece.delta for piece in pieces if piece.delta],
        "streamed_usage": list_usage(pieces[-1]),
        "stopped": chat.chat([QUESTION], stop=[PLAN["stop"]]).message.content,
        "conversation": chat.chat(list_messages()).message.content,
        "completed": complete(PLAN["prompts"]),
        **ask_in_vain(chat),
    }


def list_usage(response: Any) -> list[int]:
    return [response.additional_kwargs[name] for name in ("prompt_tokens", "completion_tokens")]


def list_messages() -> list[Any]:
    """The conversation, whose last message has parts."""
    *begun, last = PLAN["conversation"]
    parts = ChatMessage(role="user", blocks=[TextBlock(text=part["text"]) for part in last["content"]])
    return [*(ChatMessage(**message) for message in begun), parts]


def complete(prompts: list[str]) -> list[str]:
    """Each prompt by a request of its own: whole, streamed, and all others at once."""
    model, (first, second, *others) = open_model(is_chat_model=False), prompts

    async def gather() -> list[Any]:
        return await asyncio.gather(*map(model.acomplete, others))

    streamed = "".join(piece.delta for piece in model.stream_complete(second))
    return [model.complete(first).text, streamed, *(found.text for found in asyncio.run(gather()))]


def ask_in_vain(chat: Any) -> dict[str, Any]:
    """Too long a question, and a server that refuses each question once."""
    found: dict[str, Any] = {}
    try:
        chat.chat([ChatMessage(role="user", content=PLAN["long"])])
    except BadRequestError as error:
        found["too_long"] = f"{error.code}: {error}"
    patient = ChatMessage(role="user", content="LlamaIndex, patient")
    found["retried"] = open_model("busy").chat([patient]).message.content
    try:
        open_model("busy", max_retries=0).chat([ChatMessage(role="user", content="LlamaIndex, impatient")])
    except RateLimitError as error:
        found["refused"] = error.response.headers["retry-after-ms"]
    return found


if __name__ == "__main__":
    print(json.dumps(main()))
