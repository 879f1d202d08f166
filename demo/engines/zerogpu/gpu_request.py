"""What one decorated call is asked for. It is pickled into the platform's worker process."""

from dataclasses import dataclass

from demo.request import Request


@dataclass(frozen=True, slots=True)
class GpuRequest:
    """An admitted request, its prompt's ids and its seed.

    `seconds` of GPU time are asked for; `slot` is the run's place in the StopFlags.
    """

    request: Request
    prompt: tuple[int, ...]
    seed: int
    seconds: int
    slot: int
