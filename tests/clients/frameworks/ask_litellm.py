"""What LiteLLM makes of a server's replies: `python ask_litellm.py PLAN` prints it as one JSON document."""

import json
import sys
from typing import Any

import litellm

PLAN: Any = json.loads(sys.argv[1])
QUESTION: Any = [{"role": "user", "content": PLAN["question"]}]


def describe(where: str = "url", model: str = "openai/any") -> dict[str, Any]:
    """Which model is asked, and for how much."""
    server = {"model": model, "api_base": f"{PLAN[where]}/v1", "api_key": "none"}
    return {**server, "max_tokens": PLAN["tokens"], "temperature": 0}


def ask(messages: list[Any], **more: Any) -> Any:
    return litellm.completion(**{**describe(), "messages": messages, **more})


def main() -> dict[str, Any]:
    whole = ask(QUESTION)
    pieces = list(ask(QUESTION, stream=True, stream_options={"include_usage": True}))
    texts = [choice.delta.content for piece in pieces for choice in piece.choices]
    return {
        "whole": whole.choices[0].message.content,
        "finish": whole.choices[0].finish_reason,
        "usage": list_usage(whole),
        "pieces": [text for text in texts if text],
        "streamed_usage": next(list_usage(piece) for piece in reversed(pieces) if getattr(piece, "usage", None)),
        "stopped": ask(QUESTION, stop=[PLAN["stop"]]).choices[0].message.content,
        "conversation": ask(PLAN["conversation"]).choices[0].message.content,
        "completed": complete(PLAN["prompts"]),
        "fallen_back": fall_back(),
        **ask_in_vain(),
    }


def list_usage(response: Any) -> list[int]:
    return [response.usage.prompt_tokens, response.usage.completion_tokens]


def complete(prompts: list[str]) -> list[str]:
    """All prompts in one request."""
    reply: Any = litellm.text_completion(prompt=prompts, **describe(model="text-completion-openai/any"))
    return [choice.text for choice in reply.choices]


def fall_back() -> str:
    """A question that is too long for one server goes to another one."""
    models = [{"model_name": where, "litellm_params": describe(where)} for where in ("url", "busy")]
    router: Any = litellm.Router(model_list=models, context_window_fallbacks=[{"url": ["busy"]}])
    messages = [{"role": "user", "content": PLAN["long"]}]
    return str(router.completion(model="url", messages=messages).choices[0].message.content)


def ask_in_vain() -> dict[str, Any]:
    """Too long a question, and a server that refuses each question once."""
    found: dict[str, Any] = {}
    try:
        ask([{"role": "user", "content": PLAN["long"]}])
    except litellm.ContextWindowExceededError as error:
        found["too_long"] = str(error)
    busy = describe("busy")
    found["retried"] = ask([{"role": "user", "content": "LiteLLM, patient"}], **busy).choices[0].message.content
    try:
        ask([{"role": "user", "content": "LiteLLM, impatient"}], **busy, max_retries=0)
    except litellm.RateLimitError as error:
        found["refused"] = error.response.headers["retry-after-ms"]
    return found


if __name__ == "__main__":
    print(json.dumps(main()))
