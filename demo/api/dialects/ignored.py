"""Fields of a body that this server does not know: named in a header of the reply, not ignored in silence."""

from collections.abc import Iterator
from itertools import islice
from typing import Final
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict

from demo.api.openapi.replies import IGNORED_PARAMETERS

MAX_NAMES: Final = 20
MAX_CHARACTERS: Final = 64  # of a name
MAX_MODELS: Final = 1000  # a body may hold more messages than are worth looking at
EMPTY: Final[tuple[object, ...]] = (None, "", [], {})  # what asks for nothing


class Body(BaseModel):
    """A body, or an object in one. Nothing is converted; fields that are not known are kept, to be named."""

    model_config = ConfigDict(strict=True, extra="allow")


def write_ignored(body: BaseModel) -> dict[str, str]:
    """The header, if there is anything to name: `seed_everything, messages.mood`. A name is percent-encoded."""
    names = dict.fromkeys(name for path, model in islice(_walk(body, ""), MAX_MODELS) for name in _list(model, path))
    return {IGNORED_PARAMETERS: ", ".join(islice(names, MAX_NAMES))} if names else {}


def _list(model: BaseModel, path: str) -> Iterator[str]:
    for name, value in (model.model_extra or {}).items():
        if value not in EMPTY:
            yield path + quote(name[:MAX_CHARACTERS], errors="replace")


def _walk(model: BaseModel, path: str) -> Iterator[tuple[str, BaseModel]]:
    """The model and those inside it, each with the path of names that leads to it."""
    yield path, model
    for name in type(model).model_fields:
        value = getattr(model, name)
        for each in value if isinstance(value, list) else (value,):
            if isinstance(each, BaseModel):
                yield from _walk(each, f"{path}{name}.")
