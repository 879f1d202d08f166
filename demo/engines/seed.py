"""The seed of a request: its own, else one that is drawn, so that the answer can be repeated."""

import secrets
from typing import Final

from demo.request import Request

DRAWN_BITS: Final = 53  # JavaScript holds larger integers inexactly


def choose_seed(request: Request, bits: int = DRAWN_BITS) -> int:
    """The seed of `request`; where it has none, a new one of at most `bits` bits."""
    seed = request.sampling.seed
    return secrets.randbits(min(bits, DRAWN_BITS)) if seed is None else seed
