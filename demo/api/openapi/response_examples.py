"""One example of each reply of the Responses API, for the OpenAPI document. A test holds each against its schema."""

from typing import Any, Final

from demo.api.openapi.response_replies import InputMessage, OutputMessage, ResponseObject

ID: Final = "resp_5b1d0a5c2f"
MESSAGE: Final[OutputMessage] = {
    "id": "msg_5b1d0a5c2f",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "Deep", "annotations": [], "logprobs": []}],
}
RESPONSE: Final[ResponseObject] = {
    "id": ID,
    "object": "response",
    "created_at": 1767225600,
    "completed_at": 1767225600.1,
    "status": "completed",
    "background": False,
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "max_output_tokens": 20,
    "metadata": {},
    "model": "HuggingFaceTB/SmolLM2-135M-Instruct",
    "output": [MESSAGE],
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "truncation": "disabled",
    "usage": {
        "input_tokens": 5,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 7,
    },
    "user": None,
}
QUESTION: Final[InputMessage] = {
    "id": f"msg_0_{ID}",
    "type": "message",
    "role": "user",
    "status": "completed",
    "content": [{"type": "input_text", "text": "What is Deep Learning?"}],
}
RESPONSE_EXAMPLES: Final[dict[str, Any]] = {
    "ResponseObject": RESPONSE,
    "ResponseEvent": {
        "type": "response.output_text.delta",
        "sequence_number": 4,
        "item_id": MESSAGE["id"],
        "output_index": 0,
        "content_index": 0,
        "delta": "Deep",
        "logprobs": [],
    },
    "DeletedResponse": {"id": ID, "object": "response", "deleted": True},
    "InputItems": {
        "object": "list",
        "data": [QUESTION],
        "first_id": QUESTION["id"],
        "last_id": QUESTION["id"],
        "has_more": False,
    },
}
