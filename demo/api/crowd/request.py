"""The request for a load test, which is its plan."""

from typing import Final

from pydantic import ConfigDict, Field

from demo.api.dialects.body import Body
from demo.api.dialects.number_fields import Seed

ATTEMPTS: Final = 8  # this and the backoff are those of the README's snippet
MAX_CLIENTS: Final = 40


class CrowdRequest(Body):
    """The body of `/crowds`."""

    model_config = ConfigDict(json_schema_extra={"example": {"clients": 5, "limit": 2}})

    clients: int = Field(default=20, ge=1, le=MAX_CLIENTS, description="How many clients send a request at once.")
    limit: int = Field(
        default=4, ge=1, le=8, description="How many are answered at once; at most a quarter of the server's own limit."
    )
    retry: bool = Field(default=False, description="Whether refused clients back off and retry.")
    max_new_tokens: int = Field(default=16, ge=4, le=64, description="Tokens of each answer.")
    seed: Seed | None = Field(default=None, description="Same seed: same pauses between attempts.")

    @property
    def attempts(self) -> int:
        """The most requests that one client sends."""
        return ATTEMPTS if self.retry else 1
