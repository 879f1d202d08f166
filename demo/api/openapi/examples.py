"""One example of each reply, for the OpenAPI document. A test holds each against its schema."""

from typing import Any, Final

from demo.api.openapi.replies import Details, StreamDetails, StreamTimings, TokenInfo
from demo.api.openapi.reports import WayReport, WebhookState
from demo.api.openapi.response_replies import InputMessage, OutputMessage, ResponseObject
from demo.api.openapi.room_replies import RoundResults, RoundState
from demo.api.openapi.usage import Usage

TOKEN: Final[TokenInfo] = {"id": 20379, "text": "Deep", "logprob": -0.31, "special": False}
LAST_TOKEN: Final[TokenInfo] = {"id": 2, "text": "", "logprob": -0.02, "special": True}
TIMINGS: Final[StreamTimings] = {
    "validation_time": 0.4,
    "queue_time": 0.1,
    "inference_time": 98.2,
    "total_time": 98.7,
    "time_per_token": 49.1,
    "time_to_first_token": 51.9,
}
STREAM_DETAILS: Final[StreamDetails] = {
    "finish_reason": "eos_token",
    "generated_tokens": 2,
    "seed": None,
    "input_length": 5,
    "cached_tokens": 0,
    "timings": TIMINGS,
}
DETAILS: Final[Details] = {
    "finish_reason": "eos_token",
    "generated_tokens": 2,
    "seed": None,
    "cached_tokens": 0,
    "prefill": [],
    "tokens": [TOKEN, LAST_TOKEN],
}
USAGE: Final[Usage] = {
    "prompt_tokens": 5,
    "completion_tokens": 2,
    "total_tokens": 7,
    "prompt_tokens_details": {"cached_tokens": 0},
}
ENVELOPE: Final = {
    "id": "cmpl-1f0c8a6d2b",
    "created": 1767225600,
    "model": "HuggingFaceTB/SmolLM2-135M-Instruct",
    "system_fingerprint": "cpu-float32",
}
MODEL_ENTRY: Final = {
    "id": "HuggingFaceTB/SmolLM2-135M-Instruct",
    "object": "model",
    "created": 0,
    "owned_by": "HuggingFaceTB",
    "root": "HuggingFaceTB/SmolLM2-135M-Instruct",
    "max_model_len": 4096,
}
MESSAGE: Final = {"role": "assistant", "content": "Deep"}


def _make_report(requests: int, empty: int, request_bytes: int, reply_bytes: int, staleness: float) -> WayReport:
    return {
        "requests": requests,
        "empty_replies": empty,
        "request_bytes": request_bytes,
        "reply_bytes": reply_bytes,
        "mean_staleness": staleness,
        "arrivals": [(round(0.102 + staleness, 3), 2)],
    }


WEBHOOK: Final[WebhookState] = {
    "url": "http://127.0.0.1:7860/webhooks/inbox/mine",
    "state": "delivered",
    "attempts": [{"at": 1767225600.5, "status": 204, "error": None}],
    "report": _make_report(1, 0, 812, 92, 0.03),
}
RESPONSE_ID: Final = "resp_5b1d0a5c2f"
OUTPUT_MESSAGE: Final[OutputMessage] = {
    "id": "msg_5b1d0a5c2f",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "Deep", "annotations": [], "logprobs": []}],
}
RESPONSE: Final[ResponseObject] = {
    "id": RESPONSE_ID,
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
    "output": [OUTPUT_MESSAGE],
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
    "id": f"msg_0_{RESPONSE_ID}",
    "type": "message",
    "role": "user",
    "status": "completed",
    "content": [{"type": "input_text", "text": "What is Deep Learning?"}],
}
ROUND: Final[RoundState] = {
    "number": 1,
    "kind": "race",
    "phase": "running",
    "prompt": "Why is the sky blue?",
    "recorded": False,
    "max_new_tokens": 128,
    "tokens_per_second": 20.0,
    "limit": None,
    "arms": {"streamed": 14, "whole": 13},
}
ROUND_RESULTS: Final[RoundResults] = {
    "round": 1,
    "kind": "race",
    "prompt": "Why is the sky blue?",
    "recorded": False,
    "finish": "length",
    "seconds": 6.4,
    "ttft": 0.05,
    "tokens": 128,
    "arms": {
        "streamed": {"n": 2, "mean": 4.5, "low": -1.85, "high": 10.85, "guesses": [4.0, 5.0]},
        "whole": {"n": 1, "mean": None, "low": None, "high": None, "guesses": [7.0]},
    },
    "difference": None,
    "sentence": None,
}

# By the name of the schema.
EXAMPLES: Final[dict[str, Any]] = {
    "Generated": {"generated_text": "Deep", "details": DETAILS},
    "NativeEvent": {"index": 2, "token": LAST_TOKEN, "generated_text": "Deep", "details": STREAM_DETAILS},
    "Chat": {
        **ENVELOPE,
        "object": "chat.completion",
        "choices": [{"index": 0, "message": MESSAGE, "logprobs": None, "finish_reason": "stop"}],
        "usage": USAGE,
    },
    "ChatChunk": {
        **ENVELOPE,
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": MESSAGE, "logprobs": None, "finish_reason": None}],
    },
    "Completion": {
        **ENVELOPE,
        "object": "text_completion",
        "choices": [{"index": 0, "text": "Deep", "logprobs": None, "finish_reason": "stop"}],
        "usage": USAGE,
    },
    "CompletionChunk": {
        **ENVELOPE,
        "object": "text_completion",
        "choices": [{"index": 0, "text": "Deep", "logprobs": None, "finish_reason": None}],
        "index": 1,
        "token": TOKEN,
        "generated_text": None,
        "details": None,
    },
    "Reload": {"status": "loading"},
    "Health": {"status": "ok", "running": 1, "waiting": 0, "limit": 64, "tabs": 3, "tab_limit": 2000},
    "Info": {
        "model_id": "HuggingFaceTB/SmolLM2-135M-Instruct",
        "model_sha": None,
        "model_dtype": "float32",
        "model_device_type": "cpu",
        "model_pipeline_tag": "text-generation",
        "max_concurrent_requests": 64,
        "max_best_of": 2,
        "max_stop_sequences": 4,
        "max_input_tokens": 4095,
        "max_total_tokens": 4096,
        "max_new_tokens": None,
        "validation_workers": 1,
        "max_client_batch_size": 4,
        "plain_prompts": "chat",
        "costs_quota": False,
        "watermark": "accepted, not applied",
        "router": "token-streaming",
        "version": "0.3.0",
    },
    "Models": {"object": "list", "data": [MODEL_ENTRY]},
    "ModelEntry": MODEL_ENTRY,
    "TextToken": {"id": 28120, "text": "Hello", "start": 0, "stop": 5},
    "TokenizedChat": {
        "tokenize_response": [{"id": 1, "text": "<|im_start|>", "start": 0, "stop": 12}],
        "templated_text": "<|im_start|>",
    },
    "JobState": {
        "id": "Qm3v0tqfT7kXJ2m9c1xN5w",
        "state": "done",
        "next": 2,
        "tokens": [{"index": 2, **LAST_TOKEN}],
        "generated_text": "Deep",
        "details": STREAM_DETAILS,
        "error": None,
    },
    "Report": {
        "tokens": [0.052, 0.101],
        "streamed": _make_report(1, 0, 140, 660, 0.001),
        "polled": _make_report(3, 1, 390, 1410, 0.523),
        "webhook": WEBHOOK,
    },
    "Inbox": {
        "deliveries": [
            {"received": 1767225600.5, "headers": {"webhook-id": "Qm3v0tqfT7kXJ2m9c1xN5w"}, "body": '{"type": …}'}
        ]
    },
    "CrowdEvent": {
        "event": "refused",
        "at": 0.004,
        "client": 5,
        "attempt": 1,
        "status": 429,
        "error_type": "overloaded",
        "error": "Model is overloaded: 4 requests are being answered in this sandbox, which is the limit.",
        "retry_after": 1.0,
    },
    "ResponseObject": RESPONSE,
    "ResponseEvent": {
        "type": "response.output_text.delta",
        "sequence_number": 4,
        "item_id": OUTPUT_MESSAGE["id"],
        "output_index": 0,
        "content_index": 0,
        "delta": "Deep",
        "logprobs": [],
    },
    "DeletedResponse": {"id": RESPONSE_ID, "object": "response", "deleted": True},
    "InputItems": {
        "object": "list",
        "data": [QUESTION],
        "first_id": QUESTION["id"],
        "last_id": QUESTION["id"],
        "has_more": False,
    },
    "RoomOpened": {
        "code": "K7M2QX",
        "key": "u3F0yB1QwZb5sT9kLr2VhXcN",
        "url": "http://192.0.2.7:7860/room/K7M2QX",
        "qr": '<svg xmlns="http://www.w3.org/2000/svg"/>',
        "reachable": True,
        "language": "en",
        "expires_in": 10800.0,
    },
    "RoundState": ROUND,
    "RoomResults": {"results": [ROUND_RESULTS]},
    "PhoneJoined": {"phone": "p1o2n3e4p5h6o7n8e9s0i1d2", "number": 7, "animal": "otter", "colour": "teal"},
    "RoomEvent": {"round": 1, "text": "The sky", "tokens": 2},
}
