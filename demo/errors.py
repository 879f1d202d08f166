"""What can go wrong, each with the stable `kind` that the wire uses. Knows nobody."""


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


class SettingError(DemoError):
    """A setting has a value that can't be used."""

    kind = "setting"


class ModelError(DemoError):
    """The model that the settings name can't be had or can't be used."""

    kind = "model"


def describe_failure(error: Exception) -> EngineFailed:
    """What the caller of a generation that `error` broke is told."""
    if isinstance(error, MemoryError) or "out of memory" in str(error) or "can't allocate memory" in str(error):
        remedy = "out of memory. Ask for a shorter answer, or again when fewer requests are being answered."
    else:
        remedy = f"{error or type(error).__name__}. Try again; the server's log has the details."
    return EngineFailed(f"Request failed during generation: {remedy}")
