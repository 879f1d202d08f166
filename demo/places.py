"""Places: how many requests an engine admits at once. What can never fit is refused for good, not as overloaded."""

from demo.errors import BadRequest


def require_fit(asked: int, places: int, owner: str = "this server has at most", rest: str = "") -> None:
    """Raise BadRequest where the `asked` requests of one call are more than the `places` there can be for them."""
    if asked > places:
        counted = f"{places} place{'s' if places != 1 else ''}{rest}"
        raise BadRequest(
            f"{asked} answers are asked for at once, and {owner} {counted}: ask for fewer choices or prompts in one "
            "request."
        )
