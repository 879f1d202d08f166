"""Whether the hub can be reached. Asks for the head of its first page, and only when somebody wants to know."""

from urllib.error import HTTPError
from urllib.request import Request, urlopen

from huggingface_hub import constants

SECONDS = 3.0


def can_reach_hub() -> bool:
    """Whether the hub replies within `SECONDS`; never asks where HF_HUB_OFFLINE is set."""
    if constants.HF_HUB_OFFLINE:
        return False
    try:
        with urlopen(Request(constants.ENDPOINT, method="HEAD"), timeout=SECONDS):
            return True
    except HTTPError:  # it replies
        return True
    except OSError:
        return False
