"""What LangChain makes of a server's replies: `python ask_langchain.py PLAN` prints it as one JSON document."""

import json
import sys
from typing import Any

from langchain_core.exceptions import ContextOverflowError
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI, OpenAI
from openai import RateLimitError

PLAN: Any = json.loads(sys.argv[1])
OPTIONS: Any = {"model": "any", "api_key": "none", "max_tokens": PLAN["tokens"], "temperature": 0}
QUESTION: Any = HumanMessage(PLAN["question"])
KINDS: Any = {"system": SystemMessage, "user": HumanMessage, "assistant": AIMessage}


def main() -> dict[str, Any]:
    chat: Any = ChatOpenAI(base_url=f"{PLAN['url']}/v1", stream_usage=True, **OPTIONS)
    whole, pieces = chat.invoke([QUESTION]), list(chat.stream([QUESTION]))
    return {
        "whole": whole.content,
        "finish": whole.response_metadata["finish_reason"],
        "usage": list_usage(whole),
        "pieces": [piece.content for piece in pieces if piece.content],
        "streamed_usage": next(list_usage(piece) for piece in reversed(pieces) if piece.usage_metadata),
        "stopped": chat.invoke([QUESTION], stop=[PLAN["stop"]]).content,
        "conversation": chat.invoke([KINDS[each["role"]](each["content"]) for each in PLAN["conversation"]]).content,
        "chained": run_chain(chat),
        "responses": list_responses(),
        "completed": complete(PLAN["prompts"]),
        **ask_in_vain(chat),
    }


def list_usage(message: Any) -> list[int]:
    return [message.usage_metadata["input_tokens"], message.usage_metadata["output_tokens"]]


def run_chain(chat: Any) -> list[str]:
    """The first prompts at once, each by a template."""
    chain = ChatPromptTemplate.from_messages([("user", "{prompt}")]) | chat | StrOutputParser()
    return list(chain.batch([{"prompt": prompt} for prompt in PLAN["prompts"][:3]]))


def list_responses() -> list[str]:
    """Whole and streamed by OpenAI's newer API."""
    chat: Any = ChatOpenAI(base_url=f"{PLAN['url']}/v1", use_responses_api=True, **OPTIONS)
    return [chat.invoke([QUESTION]).text, "".join(piece.text for piece in chat.stream([QUESTION]))]


def complete(prompts: list[str]) -> list[str]:
    """All prompts in one request."""
    model: Any = OpenAI(base_url=f"{PLAN['url']}/v1", **OPTIONS)
    return [found[0].text for found in model.generate(prompts).generations]


def ask_in_vain(chat: Any) -> dict[str, Any]:
    """Too long a question, and a server that refuses each question once."""
    found: dict[str, Any] = {}
    try:
        chat.invoke([HumanMessage(PLAN["long"])])
    except ContextOverflowError as error:
        found["too_long"] = str(error)
    busy: Any = ChatOpenAI(base_url=f"{PLAN['busy']}/v1", **OPTIONS)
    found["retried"] = busy.invoke([HumanMessage("LangChain, patient")]).content
    impatient: Any = ChatOpenAI(base_url=f"{PLAN['busy']}/v1", max_retries=0, **OPTIONS)
    try:
        impatient.invoke([HumanMessage("LangChain, impatient")])
    except RateLimitError as error:
        found["refused"] = error.response.headers["retry-after-ms"]
    return found


if __name__ == "__main__":
    print(json.dumps(main()))
