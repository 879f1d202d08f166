"""Places: how many requests an engine admits at once. What can never fit is refused for good, not as overloaded."""

from demo.errors import BadRequest, Overloaded


def require_fit(asked: int, places: int, owner: str = "this server has at most", rest: str = "") -> None:
    """Raise BadRequest where the `asked` requests of one call are more than the `places` there can be for them."""
    if asked > places:
        counted = f"{places} place{'s' if places != 1 else ''}{rest}"
        raise BadRequest(
            f"{asked} answers are asked for at once, and {owner} {counted}: ask for fewer choices or prompts in one "
            "request."
        )


def require_free(asked: int, taken: int, places: int, where: str = "") -> None:
    """Raise Overloaded where fewer than `asked` of the `places` are free, since `taken` are not."""
    if taken + asked > places:
        raise Overloaded(
            f"Model is overloaded: {taken} requests are being answered{where}, which is the limit. "
            "Try again in a few seconds."
        )
