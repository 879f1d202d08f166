"""Whole delivery: the stream, read to its end, in one piece."""

import json

from starlette.responses import Response

from demo.api.delivery.merge import merge_batches
from demo.api.delivery.run_response import RunResponse


class WholeResponse(RunResponse):
    """One JSON document when all answers have ended."""

    async def _deliver(self) -> None:
        async for index, batch in merge_batches(self._readers):
            for event in batch:
                self._answers[index].add(event)
        for answer in self._answers:
            if answer.error is not None:
                await self._refuse(answer.error)
                return
        body = json.dumps(self._dialect.whole(self._answers), ensure_ascii=False, separators=(",", ":")).encode()
        headers = self._dialect.headers(self._answers)
        await self._respond(Response(body, headers=headers, media_type="application/json"))
