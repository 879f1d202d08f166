"""What the platform's package raises, as errors in the visitor's words. Knows the package's messages, not its classes.

They are gradio.Error with a title; the wording is that of spaces 0.51.
"""

import re
from typing import Final

from demo.errors import BadRequest, DemoError, EngineFailed, Incomplete, NotReady, Overloaded, describe_failure

LEFT: Final = re.compile(r"\((?P<asked>\d+)s requested vs\. (?P<left>-?\d+)s left\)\. Try again in (?P<wait>[^.]+)\.")
NO_TOKEN: Final = "Space app has reached its GPU limit"
NO_GPU: Final = "No GPU was available"
ABORTED: Final = "GPU task aborted"


def explain(error: Exception, started: bool) -> DemoError:
    """The error that the client receives: Overloaded where another time or account may be served.

    `started`: whether the run had begun.
    """
    if isinstance(error, DemoError):
        return error
    title, message = str(getattr(error, "title", "")), str(getattr(error, "message", error))
    if title == "ZeroGPU quota exceeded" and NO_GPU not in message:
        return Overloaded(_explain_quota(message))
    if title == "ZeroGPU pending credits exceeded":
        return Overloaded("All your GPU time is reserved by answers under way: try again when they have ended.")
    if title == "ZeroGPU illegal duration":
        return BadRequest("The answer would take more GPU time than one may ask for: ask for fewer tokens.")
    if NO_GPU in message:
        return Overloaded("No GPU became free in time: try again in a moment.")
    if title == "ZeroGPU client error":
        return NotReady("The GPU's platform does not know this visit any more: reload the page and try again.")
    if title == "ZeroGPU worker error":
        return _explain_worker(message, started)
    return describe_failure(error)


def _explain_quota(message: str) -> str:
    if NO_TOKEN in message:
        return (
            "This Space's own GPU time is used up, from which requests without a Hugging Face account are served: log "
            "in on huggingface.co and open the page there."
        )
    if found := LEFT.search(message):
        asked, left, wait = found["asked"], max(int(found["left"]), 0), found["wait"]
        return f"Your GPU time is used up ({asked} s are needed, {left} s are left): try again in {wait}."
    return "You have used all the GPU runs that your account has for now: try again later."


def _explain_worker(message: str, started: bool) -> DemoError:
    if message == ABORTED and started:
        return Incomplete("The GPU was taken back before the answer was complete: ask for a shorter one.")
    if message == ABORTED:
        return NotReady("The GPU was taken back before the answer began: try again.")
    return EngineFailed(f"Request failed during generation: {message}. Try again; the server's log has the details.")
