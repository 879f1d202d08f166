"""The script of Gradio's status tracker, amended to stop.

As Gradio serves it, the tracker that is shown while a page loads goes on asking for animation frames, sixty a second,
for as long as the tab is open: nothing ends its timer when it is taken off the page.
"""

import re
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from gradio.route_utils import BUILD_PATH_LIB
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

SCRIPT: Final = "statustracker-*.js"
# The effect that starts the timer when something is pending, and stops it when that is no longer so.
TIMER: Final = re.compile(r"\w+\.status===`pending`\?\w+\(\):\w+\(\(\)=>\{(?P<stop>\w+)\(\)\}\)(?=\}\))")


def mount_status_tracker(app: FastAPI) -> None:
    """Serve the script amended, in front of Gradio's own; as it is where it has another shape."""
    for path in Path(BUILD_PATH_LIB).glob(SCRIPT):
        amended, count = amend_status_tracker(path.read_text("utf-8"))
        if count == 1:
            app.router.routes.append(_serve(f"/assets/{path.name}", amended))


def amend_status_tracker(script: str) -> tuple[str, int]:
    """The effect returns what stops the timer, which Svelte calls when the component goes. And how many effects."""
    return TIMER.subn(r"\g<0>;return \g<stop>", script)


def _serve(path: str, script: str) -> Route:
    def send(request: Request) -> Response:
        return Response(script, media_type="text/javascript")

    return Route(path, send)
