"""The paths of the API's routes, as patterns that a request's path is compared with. Knows no route's function."""

import re
from collections.abc import Mapping
from typing import Final

from starlette.routing import compile_path

SLASHES: Final = re.compile("/{2,}")


class RoutePaths:
    """Patterns such as `/jobs/{id}`, each with the methods that its routes answer."""

    def __init__(self, routes: Mapping[str, set[str]]) -> None:
        self._patterns = [(compile_path(path)[0], methods) for path, methods in routes.items()]

    def find_methods(self, path: str) -> set[str]:
        """What the routes of `path` answer; nothing where no route has it."""
        return set[str]().union(*(methods for pattern, methods in self._patterns if pattern.match(path)))

    def find_meant(self, path: str) -> str:
        """The path of a route that differs from `path` by double or trailing slashes alone; else `path` itself."""
        meant = SLASHES.sub("/", path).rstrip("/") or "/"
        return meant if meant != path and self.find_methods(meant) else path
