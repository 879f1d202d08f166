"""One example of each reply of a room, for the OpenAPI document. A test holds each against its schema."""

from typing import Any, Final

from demo.api.openapi.room_replies import RoundResults, RoundState

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
RESULTS: Final[RoundResults] = {
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
ROOM_EXAMPLES: Final[dict[str, Any]] = {
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
    "RoomResults": {"results": [RESULTS]},
    "PhoneJoined": {"phone": "p1o2n3e4p5h6o7n8e9s0i1d2", "number": 7, "animal": "otter", "colour": "teal"},
    "RoomEvent": {"round": 1, "text": "The sky", "tokens": 2},
}
