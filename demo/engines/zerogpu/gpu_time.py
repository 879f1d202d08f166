"""How many seconds of GPU time a run asks for. The platform's queue and the visitor's quota depend on it."""

import math
import threading
from collections import deque
from collections.abc import Sequence
from statistics import median
from typing import Final

from demo.events import Event, Token

START_SECONDS: Final = 5.0  # a worker's fork, CUDA's start, and the weights' way to the GPU, before the first token
MAX_SECONDS: Final = 60  # the platform's default for a call; a longer one waits longer, and may be refused
FIRST_RATE: Final = 20.0  # tokens/s that are assumed until a run has been measured
PREFILL_RATE: Final = 1000.0  # prompt tokens/s
RESERVE: Final = 2.0  # a run may be so much slower than those before it
MEASURED: Final = 8  # runs


class GpuTime:
    """Estimates from the measured decode rate of the last runs."""

    def __init__(self) -> None:
        self._rates: deque[float] = deque(maxlen=MEASURED)
        self._lock = threading.Lock()

    def estimate(self, input_tokens: int, max_new_tokens: int) -> int:
        """Whole seconds, with the start, for a prompt and an answer; at most MAX_SECONDS."""
        with self._lock:
            rate = median(self._rates) / RESERVE if self._rates else FIRST_RATE
        return min(math.ceil(START_SECONDS + input_tokens / PREFILL_RATE + max_new_tokens / rate), MAX_SECONDS)

    def note(self, events: Sequence[Event]) -> None:
        """Learn from the events of a run as its worker stamped them."""
        times = [event.time for event in events if isinstance(event, Token)]
        if len(times) > 1 and times[-1] > times[0]:
            with self._lock:
                self._rates.append((len(times) - 1) / (times[-1] - times[0]))
