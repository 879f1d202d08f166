"""The CPU quota of this process's control group (cgroup v1 and v2), as a container's limit of CPUs sets it."""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

PROC = Path("/proc/self")


def read_cpu_quota(proc: Path = PROC) -> float | None:
    """How many CPUs' time this process may use: the smallest quota of its groups up the tree; None without one."""
    quotas = [quota for folder in _list_groups(proc) if (quota := _read_quota(folder)) is not None]
    return min(quotas, default=None)


def _list_groups(proc: Path) -> Iterator[Path]:
    """The folders of every group that bounds this process, in each hierarchy that counts CPU time."""
    try:
        groups = dict(_read_groups((proc / "cgroup").read_text()))
        mounts = (proc / "mountinfo").read_text()
    except OSError:  # not Linux
        return
    for line in mounts.splitlines():
        fields, _, filesystem = line.partition(" - ")
        root, mount = (_unescape(each) for each in fields.split(" ")[3:5])
        kind, *options = re.split("[ ,]", filesystem)
        version = "v1" if kind == "cgroup" and "cpu" in options else "v2" if kind == "cgroup2" else None
        if version in groups:
            yield from _walk_up(Path(mount), root, groups[version])


def _read_groups(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield "v2", path
        elif "cpu" in controllers.split(","):
            yield "v1", path


def _walk_up(mount: Path, root: str, group: str) -> Iterator[Path]:
    """The folder of `group`, and those above it, as far as they are mounted; `root` is the group at the mount."""
    path = PurePosixPath(group)
    inside = path.relative_to(root).parts if path.is_relative_to(root) and ".." not in path.parts else ()
    for depth in range(len(inside), -1, -1):
        yield mount.joinpath(*inside[:depth])


def _read_quota(folder: Path) -> float | None:
    try:
        if (file := folder / "cpu.max").exists():
            quota, period = file.read_text().split()
        else:
            quota, period = ((folder / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period"))
        return None if quota == "max" or int(quota) < 0 else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # no quota is kept here
        return None


def _unescape(path: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), path)
