"""What can go wrong, each with the stable `kind` that the wire uses. Knows nobody."""

import errno
import re
from collections.abc import Iterator
from typing import Final

# How Python, C++, torch on a CPU, CUDA, MPS and XPU, and the system say that there is no memory left.
_OUT_OF_MEMORY: Final = re.compile(
    r"out.of.(\w+.)?memory|(not enough|insufficient|allocate) memory|(unable|failed) to allocate|could not allocate"
    r"|bad.?alloc|alloc_failed|invalid buffer size|enomem|paging file is too small",
    re.IGNORECASE,
)


class DemoError(Exception):
    """An error written for whoever reads it: one sentence, what was wrong and what to do.

    `kind` is the `error_type` of text-generation-inference's HTTP API.
    """

    kind: str = "generation"


class BadRequest(DemoError):
    """The request can't be done as asked; asking again unchanged is pointless."""

    kind = "validation"


class TemplateRefused(BadRequest):
    """The model's chat template has no place for such a conversation."""

    kind = "template_error"


class Overloaded(DemoError):
    """The server has all the work it admits; the same request may pass in a moment."""

    kind = "overloaded"


class NotReady(DemoError):
    """The model is still loading, or the server is going down."""

    kind = "healthcheck"


class EngineFailed(DemoError):
    """A request that was admitted broke while it was being answered."""


class Incomplete(DemoError):
    """The answer ended before it was done, through no fault of the model's: cancelled, or the server is going down."""

    kind = "incomplete_generation"


def shutting_down() -> Incomplete:
    """For whoever is being answered when the server is told to end."""
    return Incomplete("The server is shutting down: ask again in a minute.")


class SettingError(DemoError):
    """A setting has a value that can't be used."""

    kind = "setting"


class ModelError(DemoError):
    """The model that the settings name can't be had or can't be used."""

    kind = "model"


def describe_failure(error: Exception) -> EngineFailed:
    """What the caller of a generation that `error` broke is told."""
    if is_out_of_memory(error):
        remedy = "out of memory. Ask for a shorter answer, or again when fewer requests are being answered."
    else:
        remedy = f"{error or type(error).__name__}. Try again; the server's log has the details."
    return EngineFailed(f"Request failed during generation: {remedy}")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was lacking, the system's or a GPU's, in whatever words, or as the cause of the error."""
    return any(
        isinstance(link, MemoryError)
        or (isinstance(link, OSError) and link.errno == errno.ENOMEM)
        or _OUT_OF_MEMORY.search(str(link)) is not None
        for link in list_causes(error)
    )


def list_causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and those that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
