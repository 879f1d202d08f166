"""How often an address may guess a key, a password or a code. Constant memory; knows no key and no route."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, TypeVar

from demo.address import find_network
from demo.api.dialects.errors import Refused

logger = logging.getLogger("demo.guesses")

T = TypeVar("T")

MAX_GUESSES: Final = 10  # wrong ones of an address within a window
WINDOW_SECONDS: Final = 60.0
MAX_ADDRESSES: Final = 4096  # that are remembered; the one that was seen the longest ago is forgotten first


class TooManyGuesses(Refused):
    """An address has guessed too often: not even the right key would be taken now. `retry_after` is in seconds."""

    def __init__(self, what: str, retry_after: float) -> None:
        sentence = f"Too many wrong {what} came from your address: try again in {retry_after:.0f} s."
        super().__init__("too_many_guesses", sentence)
        self.retry_after = retry_after


class GuessLimit:
    """Counts wrong guesses by address.

    While an address is over the limit, guesses are refused without a word on whether they are right: else one could go
    on guessing. With `trusts_known`, it is taken all the same where it came from that address before, so that nobody
    can lock out the programs that share an address.
    """

    def __init__(
        self, trusts_known: bool, clock: Callable[[], float] = time.monotonic, what: str = "keys or passwords"
    ) -> None:
        self._trusts_known = trusts_known
        self._what = what
        self._clock = clock
        self._wrong: OrderedDict[str, tuple[float, int]] = OrderedDict()  # begin of the window, guesses in it
        self._known: OrderedDict[str, None] = OrderedDict()  # addresses from which the right one came

    def judge(self, address: str, is_right: bool) -> bool:
        """Count a guess and return `is_right`. Raises TooManyGuesses."""
        network, now = find_network(address), self._clock()
        begin, wrong = self._wrong.get(network, (now, 0))
        if now - begin >= WINDOW_SECONDS:
            begin, wrong = now, 0
        if wrong >= MAX_GUESSES and not (is_right and self._trusts_known and network in self._known):
            raise TooManyGuesses(self._what, max(begin + WINDOW_SECONDS - now, 1.0))
        if is_right:
            _remember(self._known, network, None)
            return True
        _remember(self._wrong, network, (begin, wrong + 1))
        if wrong + 1 == MAX_GUESSES:
            logger.warning(
                "%d wrong %s came from %s: more are refused for %.0f s. If that is your proxy, name it "
                "in --trusted-proxies.",
                MAX_GUESSES,
                self._what,
                network,
                begin + WINDOW_SECONDS - now,
            )
        return False


def _remember(kept: OrderedDict[str, T], network: str, value: T) -> None:
    kept[network] = value
    kept.move_to_end(network)
    while len(kept) > MAX_ADDRESSES:
        kept.popitem(last=False)
