"""The number fields of requests in every dialect, with the bounds that the OpenAPI document states."""

from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationInfo

from demo.engine import ModelCard
from demo.request import COUNT, PACE, PENALTY, SCALE, SEED, TOP_N


def _require_scale_or_zero(number: float, field: ValidationInfo) -> float:
    if number:
        SCALE.require(field.field_name or "", number)
    return number


def _read_whole(number: object) -> object:
    return int(number) if isinstance(number, float) and number.is_integer() else number


WHOLE: Final = BeforeValidator(_read_whole)  # 20.0 is an integer to JSON Schema, and to languages with one number type

Count: TypeAlias = Annotated[int, Field(ge=int(COUNT.low), le=int(COUNT.high)), WHOLE]
Place: TypeAlias = Annotated[int, Field(ge=0, le=int(COUNT.high))]  # how many events or tokens a reader has
TopN: TypeAlias = Annotated[int, Field(ge=int(TOP_N.low), le=int(TOP_N.high)), WHOLE]
Seed: TypeAlias = Annotated[int, Field(ge=int(SEED.low), le=int(SEED.high)), WHOLE]
Scale: TypeAlias = Annotated[float, Field(ge=SCALE.low, le=SCALE.high)]
ScaleOrZero: TypeAlias = Annotated[float, Field(ge=0, le=SCALE.high), AfterValidator(_require_scale_or_zero)]
Penalty: TypeAlias = Annotated[float, Field(ge=PENALTY.low, le=PENALTY.high)]
Share: TypeAlias = Annotated[float, Field(gt=0, lt=1)]
Rate: TypeAlias = Annotated[float, Field(ge=PACE.low, le=PACE.high)]


def choose_length(body: BaseModel, name: str, card: ModelCard) -> int | None:
    """The tokens that a body asks for in field `name`; its default is no longer than the longest answer here."""
    length: int | None = getattr(body, name)
    if length is None or card.max_new_tokens is None or name in body.model_fields_set:
        return length
    return min(length, card.max_new_tokens)
