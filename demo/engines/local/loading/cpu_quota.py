"""The CPU quota of this process's control group (cgroup v1 and v2), as a container's limit of CPUs sets it."""

from pathlib import Path

from demo.engines.local.loading.control_group import PROC, list_groups


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
    except (OSError, ValueError, ZeroDivisionError):  # no quota is kept here
        return None
