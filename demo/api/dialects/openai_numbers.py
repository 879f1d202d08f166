"""The numbers of OpenAI's routes, as vLLM, text-generation-inference and llama-server read them too. Pure."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeAlias

from pydantic import AfterValidator, Field, ValidationInfo

from demo.api.dialects.number_fields import WHOLE
from demo.request import COUNT, SEED, Sampling

DRAWING: Final = {"temperature", "top_p", "top_k", "min_p"}  # what greedy decoding does without
UNSET: Final = -1  # llama-server's and vLLM's "as if it were left out"


def _read_count(number: int, field: ValidationInfo) -> int | None:
    if number == UNSET:
        return None
    COUNT.require(field.field_name or "", number)
    return number


CountOrAll: TypeAlias = Annotated[
    int,
    Field(ge=UNSET, le=int(COUNT.high), json_schema_extra={"not": {"const": 0}}),
    AfterValidator(_read_count),
    WHOLE,
]
SeedOrRandom: TypeAlias = Annotated[
    int, Field(ge=UNSET, le=int(SEED.high)), AfterValidator(lambda seed: None if seed == UNSET else seed), WHOLE
]
TopK: TypeAlias = Annotated[
    int, Field(ge=UNSET, le=int(COUNT.high)), AfterValidator(lambda number: number if number > 0 else None), WHOLE
]
MinP: TypeAlias = Annotated[float, Field(ge=0, le=1), AfterValidator(lambda share: share or None)]
TopP: TypeAlias = Annotated[float, Field(ge=0, le=1)]


def read_sampling(given: Mapping[str, Any]) -> Sampling:
    """The sampling of the parameters that a body has, without nulls: greedy if temperature or `top_p` is 0."""
    top_p = given.get("top_p")
    if given.get("temperature") == 0 or top_p == 0:
        return Sampling(**{name: value for name, value in given.items() if name not in DRAWING})
    return Sampling(**{**given, "do_sample": True, "top_p": None if top_p == 1 else top_p})
