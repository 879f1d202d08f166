"""The route of simulated faults. The engine is a script; the delivery and the dialect are those of every stream."""

from typing import Annotated, Final

from fastapi import APIRouter, Path
from starlette.responses import Response

from demo.api.delivery.streamed import StreamedResponse
from demo.api.dialects.native import NativeDialect, Parameters
from demo.api.openapi import documents, replies
from demo.engines.simulated_faults import Fault, SimulatedFaults
from demo.request import Request
from demo.run import Run

KEEP_ALIVE_SECONDS: Final = 1.0  # instead of 15, so that a comment comes within the pause

Kind = Annotated[Fault, Path(description="`pause`: no token for a while; `break`: the generation fails.")]


def build_simulated_fault_routes() -> APIRouter:
    """The model is not used, and its metrics do not count these streams."""
    router, engine = APIRouter(tags=["faults"]), SimulatedFaults()

    @router.get("/faults/{kind}", **documents.scripted(replies.NativeEvent))
    async def simulate(kind: Kind) -> Response:
        """A simulated fault: a stream that pauses or breaks off, from a script instead of the model."""
        run = Run(engine, Request(kind))
        return StreamedResponse([run], NativeDialect(Parameters(details=True), "none"), KEEP_ALIVE_SECONDS)

    return router
