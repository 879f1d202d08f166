"""What a room's routes read from the path and the headers: code, key, phone, last event."""

from typing import Annotated, TypeAlias

from fastapi import Header, Path

from demo.api.dialects.number_fields import Place

Code: TypeAlias = Annotated[str, Path(max_length=32, description="The room's code, in any case.")]
Key: TypeAlias = Annotated[
    str, Header(alias="X-Room-Key", max_length=128, description="The key that the room was opened with.")
]
Secret: TypeAlias = Annotated[str, Path(max_length=128, description="The phone's secret id.")]
LastSeen: TypeAlias = Annotated[
    Place | None, Header(alias="Last-Event-ID", description="The `id` of the last event that you have.")
]
