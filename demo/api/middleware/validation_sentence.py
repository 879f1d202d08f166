"""Why a request is invalid, in one sentence: the field, what it must be, and what it is. Knows no route."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

KINDS: Final = {
    "string_type": "a string",
    "string_sub_type": "a string",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}
BOUNDS: Final = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}
ITEMS: Final = {"stop": "`stop` strings", "prompt": "prompts"}
EMPTY: Final = {"too_short", "string_too_short"}


class Place(NamedTuple):
    """Where in the body an error is: the names and numbers that lead there.

    `field` is what has several types, of which each has errors of its own; else where the error is.
    """

    parts: tuple[str | int, ...]
    field: tuple[str | int, ...]


def explain_invalid(errors: Sequence[Any], body: Any) -> str:
    """The first error of a body, in one sentence.

    Where a field may have several types there are errors for each of them: the one is told that got furthest.
    """
    first = errors[0]
    if first["type"] == "json_invalid":
        return f"the body is not JSON ({first['ctx']['error']} at character {first['loc'][-1]}): send a JSON object."
    places = [find_place(error, body) for error in errors]
    field = places[0].field
    if first["type"] == "string_unicode":
        return "a name in the body holds half a character (a lone surrogate): send whole Unicode characters."
    if not field:
        return "the body is missing or not a JSON object: send one, with Content-Type: application/json."
    tried = [(place, error) for place, error in zip(places, errors, strict=True) if place.field == field]
    place, error = max(tried, key=_measure)
    alike = [each for other, each in tried if other == place]
    others = {each.field for each in places} - {field}
    more = f" ({len(others)} more like it)" if others else ""
    name = ".".join(map(str, place.parts))
    return f"`{name}` {_explain(error, alike, name)}{more}."


def find_place(error: Any, body: Any) -> Place:
    """The place of an error, without pydantic's names of the types that were tried."""
    where, *rest = error["loc"]
    if where != "body":
        return Place(tuple(rest), tuple(rest))
    parts: list[str | int] = []
    certain: int | None = None  # how many of them hold whatever type was tried for what is inside; None: all
    for part in rest:
        is_inside = isinstance(body, Mapping) and part in body
        is_item = isinstance(body, list) and isinstance(part, int) and part < len(body)
        if is_inside or is_item:
            body = body[part]
            parts.append(part)
        elif error["type"] == "missing":
            parts.append(part)
        elif certain is None:
            certain = len(parts)
    return Place(tuple(parts), tuple(parts[:certain]))


def _measure(tried: tuple[Place, Any]) -> tuple[bool, int, list[int]]:
    (parts, _), error = tried
    return error["type"] not in KINDS, len(parts), [part for part in parts if isinstance(part, int)]


def _explain(error: Any, alike: Sequence[Any], name: str) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "missing":
        return "is missing: it is needed"
    if kind in KINDS:
        kinds = dict.fromkeys(KINDS[each["type"]] for each in alike if each["type"] in KINDS)
        return f"must be {' or '.join(kinds)}, and is {_describe(error['input'])}"
    if kind == "literal_error":
        return f"must be {context['expected']}"
    if kind in EMPTY:
        return "must not be empty"
    if kind == "too_long":
        items = ITEMS.get(name, f"items of `{name}`")
        return f"is too long: at most {context['max_length']} {items}: {context['actual_length']} given"
    bound = next((bound for bound in BOUNDS if bound in context), None)
    # As Python writes it: 1e-30 instead of thirty zeros.
    return str(error["msg"]) if bound is None else f"must be {BOUNDS[bound]} {context[bound]}"


def _describe(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and not value.is_integer():
        return "a number with a fraction"
    kinds = ((int | float, "a number"), (str, "a string"), (list, "a list"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "an object")
