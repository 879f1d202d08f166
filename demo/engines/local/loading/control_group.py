"""The control groups (cgroup v1 and v2) that bound this process, as files that say how."""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

PROC: Final = Path("/proc/self")


def list_groups(controller: str, proc: Path = PROC) -> Iterator[Path]:
    """The folders of every group up the tree that bounds this process, in each hierarchy that has this controller."""
    try:
        groups = dict(_read_groups((proc / "cgroup").read_text(), controller))
        mounts = (proc / "mountinfo").read_text()
    except OSError:  # not Linux
        return
    for line in mounts.splitlines():
        fields, _, filesystem = line.partition(" - ")
        root, mount = (_unescape(each) for each in fields.split(" ")[3:5])
        kind, *options = re.split("[ ,]", filesystem)
        version = "v1" if kind == "cgroup" and controller in options else "v2" if kind == "cgroup2" else None
        if version in groups:
            yield from _walk_up(Path(mount), root, groups[version])


def _read_groups(text: str, controller: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield "v2", path
        elif controller in controllers.split(","):
            yield "v1", path


def _walk_up(mount: Path, root: str, group: str) -> Iterator[Path]:
    """The folder of `group`, and those above it, as far as they are mounted; `root` is the group at the mount."""
    path = PurePosixPath(group)
    inside = path.relative_to(root).parts if path.is_relative_to(root) and ".." not in path.parts else ()
    for depth in range(len(inside), -1, -1):
        yield mount.joinpath(*inside[:depth])


def _unescape(path: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), path)
