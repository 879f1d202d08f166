"""How long steps take in this process: learned from their recent durations, nothing is assumed. Knows no sequence."""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Final

RECENT: Final = 48  # steps with prefill from which rates are taken
ENOUGH: Final = 6  # steps of a kind, to tell anything of it
SMOOTHING: Final = 0.15  # weight of the newest duration of a decode step
OUTLIER: Final = 4.0  # longer durations, in usual ones, are clipped: another program took the processor


@dataclass(frozen=True, slots=True)
class Rates:
    """The rates at one moment. A prompt alone takes `step` seconds for each of its steps and `token` for each token."""

    decode: tuple[tuple[int, float], ...]  # (sequences, seconds) of a step without prefill, ascending
    step: float
    token: float
    beside: float  # seconds that a prompt token adds to a step that decodes

    def find_decode_seconds(self, sequences: float) -> float:
        """Seconds of a step in which so many sequences decode: interpolated, or extrapolated from all known ones."""
        known = self.decode
        at = bisect_left(known, (sequences, 0.0))
        if at == 0:
            return known[0][1] * min(sequences, 1.0) if sequences < 1 else known[0][1]
        low, seconds = known[at - 1]
        if at == len(known):
            first, first_seconds = known[0]
            slope = (seconds - first_seconds) / (low - first) if low > first else 0.0
            return seconds + max(slope, 0.0) * (sequences - low)
        high, high_seconds = known[at]
        return seconds + (high_seconds - seconds) * (sequences - low) / (high - low)


class StepRates:
    """Notes steps, in the engine's thread; any thread reads the rates."""

    def __init__(self) -> None:
        self.latest = 0.0  # seconds of the last step
        self._decode: dict[int, float] = {}
        self._alone: deque[tuple[int, float]] = deque(maxlen=RECENT)
        self._beside: deque[tuple[int, float]] = deque(maxlen=RECENT)

    def note(self, decoding: int, prefill: int, seconds: float) -> None:
        """Learn that a step with `prefill` prompt tokens beside so many decoding sequences took `seconds`."""
        self.latest = seconds
        if not prefill:
            known = self._decode.get(decoding) or seconds
            self._decode[decoding] = known + SMOOTHING * (min(seconds, OUTLIER * known) - known)
        elif not decoding:
            self._alone.append((prefill, seconds))
        elif self._decode:
            usual = Rates(_sort(self._decode), 0.0, 0.0, 0.0).find_decode_seconds(decoding)
            self._beside.append((prefill, max(seconds - usual, 0.0)))

    def read(self) -> Rates | None:
        """The rates now; None until enough steps have been seen."""
        alone, beside, decode = list(self._alone), list(self._beside), _sort(self._decode)
        if not decode or max(len(alone), len(beside)) < ENOUGH:
            return None
        added = _find_token_seconds(beside if len(beside) >= ENOUGH else alone)
        step, token = _fit(alone) if len(alone) >= ENOUGH else (0.0, added)
        return Rates(decode, step, token, added)


def _sort(decode: dict[int, float]) -> tuple[tuple[int, float], ...]:
    return tuple(sorted(decode.copy().items()))


def _find_token_seconds(steps: Iterable[tuple[int, float]]) -> float:
    """Seconds per token: of all tokens together, without outliers."""
    steps = list(steps)
    usual = median(seconds / tokens for tokens, seconds in steps)
    clipped = sum(min(seconds, OUTLIER * usual * tokens) for tokens, seconds in steps)
    return clipped / sum(tokens for tokens, _ in steps)


def _fit(steps: list[tuple[int, float]]) -> tuple[float, float]:
    """Seconds per step and per token: a line through the medians of the shorter and the longer half."""
    ordered = sorted(steps)
    half = max(len(ordered) // 2, 1)
    few, short = _find_medians(ordered[:half])
    many, long = _find_medians(ordered[-half:])
    token = (long - short) / (many - few) if many >= 2 * few else 0.0
    return (max(short - token * few, 0.0), token) if token > 0 else (0.0, _find_token_seconds(steps))


def _find_medians(steps: list[tuple[int, float]]) -> tuple[float, float]:
    return median(tokens for tokens, _ in steps), median(seconds for _, seconds in steps)
