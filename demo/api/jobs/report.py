"""What one way of delivery (stream, polling, webhook) cost for one job: requests, bytes and staleness."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from demo.api.openapi.reports import WayReport
from demo.api.traffic import Traffic
from demo.events import Token

MAX_OPEN: Final = 64  # requests whose connections may still add bytes; the earlier ones are added up


@dataclass(slots=True)
class DeliveryReport:
    """A token's staleness is its age when it was sent, in seconds.

    `arrivals` has an entry for each reply with new tokens: its time, and how many tokens the reader then had.
    """

    submitted: float
    requests: int = 0
    empty_replies: int = 0
    traffic: list[Traffic] = field(default_factory=list)
    staleness: list[float] = field(default_factory=list)
    arrivals: list[tuple[float, int]] = field(default_factory=list)

    @property
    def delivered(self) -> int:
        return len(self.staleness)

    def record_request(self, traffic: Traffic | None) -> None:
        """Count a request, whose connection adds its bytes to `traffic`."""
        self.requests += 1
        if traffic is not None:
            self.traffic.append(traffic)
            if len(self.traffic) > MAX_OPEN:
                first, second, *rest = self.traffic
                self.traffic = [Traffic(first.request + second.request, first.reply + second.reply), *rest]

    def record_arrival(self, tokens: Sequence[Token], at: float | None = None) -> None:
        """The reader has all of `tokens`, counted from the first, now or since `at`."""
        new, at = tokens[self.delivered :], time.perf_counter() if at is None else at
        if new:
            self.staleness += [at - token.time for token in new]
            self.arrivals.append((at, self.delivered))

    def write(self) -> WayReport:
        """As JSON; the staleness is the mean. None before the first token, and for bytes that were not counted."""
        is_counted = bool(self.traffic) or not self.requests
        return {
            "requests": self.requests,
            "empty_replies": self.empty_replies,
            "request_bytes": sum(each.request for each in self.traffic) if is_counted else None,
            "reply_bytes": sum(each.reply for each in self.traffic) if is_counted else None,
            "mean_staleness": sum(self.staleness) / self.delivered if self.delivered else None,
            "arrivals": [(at - self.submitted, count) for at, count in self.arrivals],
        }
