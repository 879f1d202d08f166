"""The errors of every layer, each with the stable `kind` that replies carry."""

import errno
import re
from collections.abc import Iterator
from typing import Final

# The messages of Python, C++, torch on a CPU, CUDA, MPS and XPU, and the system when no memory is left.
_OUT_OF_MEMORY: Final = re.compile(
    r"out.of.(\w+.)?memory|(not enough|insufficient|allocate) memory|(unable|failed) to allocate|could not allocate"
    r"|bad.?alloc|alloc_failed|invalid buffer size|enomem|paging file is too small",
    re.IGNORECASE,
)


class DemoError(Exception):
    """An error with a message for a person: one sentence that says what was wrong and what to do.

    `kind` is the `error_type` of text-generation-inference's HTTP API. `retry_after`: in how many seconds the same
    request may succeed; None where nobody knows.
    """

    kind: str = "generation"
    retry_after: float | None = None


class BadRequest(DemoError):
    """The request is invalid: sent again unchanged, it fails again."""

    kind = "validation"


class ContextExceeded(BadRequest):
    """Prompt and answer have more tokens than the model takes: OpenAI's `context_length_exceeded`."""


class TemplateRefused(BadRequest):
    """The model's chat template refuses the conversation."""

    kind = "template_error"


class Overloaded(DemoError):
    """The server is at its limit: the same request may be admitted in a moment."""

    kind = "overloaded"

    def __init__(self, sentence: str, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after

    def expect(self, seconds: float | None) -> None:
        """Say, where it is known and not said yet, in how many seconds the request is expected to be admitted."""
        if self.retry_after is None and seconds is not None:
            self.retry_after = seconds
            self.args = (str(self).replace("in a few seconds", f"in about {max(seconds, 0.1):.2g} s"),)


class NotReady(DemoError):
    """The model is still loading or has failed, or the server is shutting down."""

    kind = "healthcheck"

    def __init__(self, sentence: str, retry_after: float = 1.0) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class EngineFailed(DemoError):
    """A request failed after it was admitted."""


class Incomplete(DemoError):
    """The answer was cut off, not by an error of the model: it was cancelled, or the server is shutting down."""

    kind = "incomplete_generation"


def describe_shutdown() -> Incomplete:
    """The error of the runs that a shutdown ends."""
    return Incomplete("The server is shutting down: ask again in a minute.")


def describe_closing() -> NotReady:
    """The refusal of a request that comes while the server shuts down."""
    return NotReady("The server is shutting down: try again in a minute.")


class SettingError(DemoError):
    """A setting has an invalid value."""

    kind = "setting"


class ModelError(DemoError):
    """The model that the settings name cannot be found or cannot be served."""

    kind = "model"


def describe_failure(error: Exception) -> EngineFailed:
    """The error that the client of a generation receives where `error` ended it."""
    if is_out_of_memory(error):
        remedy = "out of memory. Ask for a shorter answer, or again when fewer requests are being answered."
    else:
        remedy = f"{error or type(error).__name__}. Try again; the server's log has the details."
    return EngineFailed(f"Request failed during generation: {remedy}")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the error, or one that caused it, says that the system or a GPU has no memory left."""
    return any(
        isinstance(link, MemoryError)
        or (isinstance(link, OSError) and link.errno == errno.ENOMEM)
        or _OUT_OF_MEMORY.search(str(link)) is not None
        for link in list_causes(error)
    )


def list_causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, then the errors that caused it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
