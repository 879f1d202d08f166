"""The bodies of requests: fields that are not known here are named in the reply, unavailable ones are refused."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from demo.api.openapi.replies import IGNORED_PARAMETERS
from demo.errors import BadRequest

MAX_NAMES: Final = 20
MAX_CHARACTERS: Final = 64  # of a name
MAX_MODELS: Final = 1000  # a body may hold more messages than are worth looking at
EMPTY: Final[tuple[object, ...]] = (None, "", [], {})  # what asks for nothing


class Body(BaseModel):
    """A body, or an object in one. Nothing is converted; fields that are not known are kept, to be named.

    A string below a field is its description.
    """

    model_config = ConfigDict(strict=True, extra="allow", use_attribute_docstrings=True)


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Marks a field of other servers: `Annotated[Any, Unavailable()]`. Null and the `harmless` values are accepted."""

    harmless: tuple[Any, ...] = ()

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        accepted = ["null", *(json.dumps(each) if each or each is False else "empty" for each in self.harmless)]
        listed = " or ".join(filter(None, (", ".join(accepted[:-1]), accepted[-1])))
        return {**handler(schema), "description": f"Not available here: refused unless {listed}."}


def refuse_unavailable(body: Body) -> None:
    """Raises BadRequest for the first unavailable field that has a value."""
    for name, field in type(body).model_fields.items():
        value = getattr(body, name)
        for mark in field.metadata:
            if isinstance(mark, Unavailable) and value is not None and value not in mark.harmless:
                raise BadRequest(f"`{name}` is not available on this server: leave it out.")


def write_ignored(body: BaseModel) -> dict[str, str]:
    """The header, if there is anything to name: `seed_everything, messages.mood`. A name is percent-encoded."""
    names = dict.fromkeys(
        path + quote(name[:MAX_CHARACTERS])
        for path, model in islice(_walk(body, ""), MAX_MODELS)
        for name, value in (model.model_extra or {}).items()
        if value not in EMPTY
    )
    return {IGNORED_PARAMETERS: ", ".join(islice(names, MAX_NAMES))} if names else {}


def _walk(model: BaseModel, path: str) -> Iterator[tuple[str, BaseModel]]:
    """The model and those inside it, each with the path of names that leads to it."""
    yield path, model
    for name in type(model).model_fields:
        value = getattr(model, name)
        for each in value if isinstance(value, list) else (value,):
            if isinstance(each, BaseModel):
                yield from _walk(each, f"{path}{name}.")
