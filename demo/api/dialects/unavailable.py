"""Request fields of other servers that this one does not support: refused, not ignored."""

import json
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from demo.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Marks such a field: `Annotated[Any, Unavailable()]`. Null and the `harmless` values are accepted."""

    harmless: tuple[Any, ...] = ()

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        accepted = ["null", *(json.dumps(each) if each or each is False else "empty" for each in self.harmless)]
        listed = " or ".join(filter(None, (", ".join(accepted[:-1]), accepted[-1])))
        return {**handler(schema), "description": f"Not available here: refused unless {listed}."}


def refuse_unavailable(body: BaseModel) -> None:
    """Raises BadRequest for the first unavailable field that has a value."""
    for name, field in type(body).model_fields.items():
        value = getattr(body, name)
        for mark in field.metadata:
            if isinstance(mark, Unavailable) and value is not None and value not in mark.harmless:
                raise BadRequest(f"`{name}` is not available on this server: leave it out.")
