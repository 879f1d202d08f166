"""The control groups (cgroup v1 and v2) that limit this process, and the CPU quota that they set."""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

PROC: Final = Path("/proc/self")


def list_groups(controller: str, proc: Path = PROC) -> Iterator[Path]:
    """The folders of this process's groups and of the groups above them, in each hierarchy with this controller."""
    try:
        groups = dict(_read_groups((proc / "cgroup").read_text(), controller))
        mounts = (proc / "mountinfo").read_text()
    except OSError:  # not Linux
        return
    for line in mounts.splitlines():
        fields, _, filesystem = line.partition(" - ")
        root, mount = (re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), each) for each in fields.split(" ")[3:5])
        kind, *options = re.split("[ ,]", filesystem)
        version = "v1" if kind == "cgroup" and controller in options else "v2" if kind == "cgroup2" else None
        if version in groups:
            yield from _walk_up(Path(mount), root, groups[version])


def read_cpu_quota(proc: Path = PROC) -> float | None:
    """How many CPUs' time this process may use: the smallest quota of its groups up the tree; None without one."""
    quotas = [quota for folder in list_groups("cpu", proc) if (quota := _read_quota(folder)) is not None]
    return min(quotas, default=None)


def _read_quota(folder: Path) -> float | None:
    try:
        if (file := folder / "cpu.max").exists():
            quota, period = file.read_text().split()
        else:
            quota, period = ((folder / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period"))
        return None if quota == "max" or int(quota) < 0 else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # this group has no quota
        return None


def _read_groups(text: str, controller: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield "v2", path
        elif controller in controllers.split(","):
            yield "v1", path


def _walk_up(mount: Path, root: str, group: str) -> Iterator[Path]:
    """The folders of `group` and of those above it up to `root`, the group that is mounted at `mount`."""
    path = PurePosixPath(group)
    inside = path.relative_to(root).parts if path.is_relative_to(root) and ".." not in path.parts else ()
    for depth in range(len(inside), -1, -1):
        yield mount.joinpath(*inside[:depth])
