"""A webhook: where a job's result is POSTed, its signature, and the state of its delivery."""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Final, Literal

from demo.api.openapi.reports import WayReport, WebhookAttempt, WebhookState
from demo.api.traffic import Traffic

SECRET_PREFIX: Final = "whsec_"


@dataclass(slots=True)
class Webhook:
    url: str
    secret: str = field(default_factory=lambda: SECRET_PREFIX + base64.b64encode(secrets.token_bytes(24)).decode())
    state: Literal["waiting", "delivered", "failed"] = "waiting"
    attempts: list[WebhookAttempt] = field(default_factory=list)
    accepted: float | None = None  # `time.perf_counter()` of the receiver's response
    traffic: Traffic = field(default_factory=Traffic)  # of all attempts
    report: WayReport | None = None

    def write(self) -> WebhookState:
        """As JSON, without the secret."""
        return {"url": self.url, "state": self.state, "attempts": self.attempts, "report": self.report}


def sign(secret: str, id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers that prove the sender and time (Unix seconds) of `body`, as Standard Webhooks 1.0 specifies.

    These lines replace a dependency, the `standardwebhooks` package.
    """
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    digest = hmac.new(key, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": id, "webhook-timestamp": str(timestamp), "webhook-signature": signature}
