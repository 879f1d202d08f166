"""How many prompt tokens a step reads: chosen from the measured durations of steps."""

from typing import Final

from demo.engines.local.runner import Limits

STRETCH: Final = 2.4  # a step that also reads prompts takes so many times as long as one that does not
ALONE_SECONDS: Final = 0.06  # a step that only reads prompts: a cancel or a shorter prompt waits so long
ROW_SHARE: Final = 0.2  # of a step's duration: at most by so much one more row prolongs it
OUTLIER: Final = 1.5  # times the usual duration: more says that the machine did something else
SMOOTHING: Final = 0.2  # weight of the newest duration


class _Size:
    """A number of tokens that grows and shrinks until a step lasts as long as it should."""

    def __init__(self, start: int, least: int, most: int) -> None:
        self._tokens, self._least, self._most = float(start), least, most

    @property
    def tokens(self) -> int:
        return int(self._tokens)

    def adapt(self, used: int, seconds: float, target: float) -> None:
        """`used` tokens took `seconds`, and should have taken `target`."""
        if seconds <= target and used < self.tokens:
            return  # it was not full, and says nothing of a full one
        change = min(max(target / max(seconds, 1e-9), 0.5), 1.5)
        self._tokens = min(max(self._tokens * change, self._least), self._most)


class PrefillBudget:
    """Prompt tokens for a step alone, and beside sequences that decode."""

    def __init__(self, limits: Limits) -> None:
        least, most = limits.min_prefill_tokens, limits.max_prefill_tokens
        self._alone = _Size(most, min(limits.efficient_prefill_tokens, most), most)
        self._beside = _Size(min(8 * least, most), least, most)
        self._decode_seconds: dict[int, float] = {}  # by the number of decoding sequences, of a step that only decodes

    def choose(self, decoding: int, held: bool) -> int:
        """Tokens beside so many decoding sequences; `held` says that one waits for its time and soon wants a step."""
        return self._beside.tokens if decoding or held else self._alone.tokens

    def note(self, decoding: int, prefill: int, seconds: float) -> None:
        """A step with `prefill` prompt tokens beside so many decoding sequences took `seconds`."""
        if decoding and not prefill:
            known = self._decode_seconds.get(decoding, seconds)
            self._decode_seconds[decoding] = known + SMOOTHING * (min(seconds, OUTLIER * known) - known)
        elif decoding and self._decode_seconds:
            self._beside.adapt(prefill, seconds, STRETCH * self._find_decode_seconds(decoding))
        elif prefill and not decoding:
            self._alone.adapt(prefill, seconds, ALONE_SECONDS)

    def _find_decode_seconds(self, decoding: int) -> float:
        nearest = min(self._decode_seconds, key=lambda known: (abs(known - decoding), known))
        # Where steps of so many were never measured alone, nobody sees the contrast to them: the guess may be high.
        return self._decode_seconds[nearest] * (1 + ROW_SHARE * max(decoding - nearest, 0))
