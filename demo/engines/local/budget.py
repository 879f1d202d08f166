"""The prefill budget: how many prompt tokens a step reads, from the measured durations of steps."""

from typing import Final

from demo.engines.local.runner import Limits

STRETCH: Final = 2.4  # target duration of a step with prefill and decode, in durations of a decode step
ALONE_SECONDS: Final = 0.06  # target duration of a step of prefill only, for which a cancel or a shorter prompt waits
ROW_SHARE: Final = 0.2  # the most that one more row adds to a decode step's duration, as a share of it
OUTLIER: Final = 1.5  # longer durations, in usual ones, are clipped: another program took the processor
SMOOTHING: Final = 0.2  # weight of the newest duration


class _Size:
    """A number of tokens that is adapted until a step takes its target duration."""

    def __init__(self, start: int, least: int, most: int) -> None:
        self._tokens, self._least, self._most = float(start), least, most

    @property
    def tokens(self) -> int:
        return int(self._tokens)

    def adapt(self, used: int, seconds: float, target: float) -> None:
        """Adapt to a step of `used` tokens that took `seconds` instead of `target` seconds."""
        if seconds <= target and used < self.tokens:
            return  # the step used only a part of the budget
        change = min(max(target / max(seconds, 1e-9), 0.5), 1.5)
        self._tokens = min(max(self._tokens * change, self._least), self._most)


class PrefillBudget:
    """Prompt tokens of a step of prefill only, and of a step that also decodes."""

    def __init__(self, limits: Limits) -> None:
        least, most = limits.min_prefill_tokens, limits.max_prefill_tokens
        self._alone = _Size(most, min(limits.efficient_prefill_tokens, most), most)
        self._beside = _Size(min(8 * least, most), least, most)
        self._decode_seconds: dict[int, float] = {}  # of a step without prefill, by the number of sequences

    def choose(self, decoding: int, paced: bool) -> int:
        """Tokens beside so many decoding sequences; `paced` says that another waits until its next token is due."""
        return self._beside.tokens if decoding or paced else self._alone.tokens

    def note(self, decoding: int, prefill: int, seconds: float) -> None:
        """Learn that a step with `prefill` prompt tokens beside so many decoding sequences took `seconds`."""
        if decoding and not prefill:
            known = self._decode_seconds.get(decoding, seconds)
            self._decode_seconds[decoding] = known + SMOOTHING * (min(seconds, OUTLIER * known) - known)
        elif decoding and self._decode_seconds:
            self._beside.adapt(prefill, seconds, STRETCH * self._find_decode_seconds(decoding))
        elif prefill and not decoding:
            self._alone.adapt(prefill, seconds, ALONE_SECONDS)

    def _find_decode_seconds(self, decoding: int) -> float:
        nearest = min(self._decode_seconds, key=lambda known: (abs(known - decoding), known))
        # For a number of sequences that has never decoded without prefill, this may be too high.
        return self._decode_seconds[nearest] * (1 + ROW_SHARE * max(decoding - nearest, 0))
