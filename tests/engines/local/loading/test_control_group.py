"""The CPU quota, read from the files of a control group tree that a test has written."""

from pathlib import Path

import pytest

from demo.engines.local.loading.control_group import read_cpu_quota

ELSEWHERE = "25 30 0:5 / /proc rw,nosuid - proc proc rw"


class Machine:
    """A tree of files like /sys/fs/cgroup, and the files of /proc/self about it."""

    def __init__(self, folder: Path) -> None:
        self.tree = folder / "sys fs" / "cgroup"
        self._proc = folder / "proc"
        self._proc.mkdir()
        self._mounts = [ELSEWHERE]

    def mount(self, kind: str, root: str = "/", name: str = "") -> None:
        """`kind` cgroup2, or cgroup with its controllers; `root` is the group that is seen at the mount."""
        filesystem = "cgroup2 cgroup rw" if kind == "cgroup2" else f"cgroup cgroup rw,{kind}"
        place = str(self.tree / name).replace(" ", r"\040")
        self._mounts.append(f"31 23 0:28 {root} {place} rw,relatime shared:9 - {filesystem}")

    def write(self, file: str, text: str) -> None:
        path = self.tree / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")

    def place_in(self, groups: str) -> Path:
        """The /proc/self of a process of these groups."""
        (self._proc / "cgroup").write_text(groups)
        (self._proc / "mountinfo").write_text("\n".join(self._mounts))
        return self._proc


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize(
    ("mounts", "files", "groups", "quota"),
    [
        ({"": "cgroup2"}, {"cpu.max": "150000 100000"}, "0::/\n", 1.5),
        (
            {"cpu": "cpu,cpuacct", "memory": "memory"},
            {"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"},
            "4:memory:/\n3:cpu,cpuacct:/\n",
            0.5,
        ),
        (
            {"": "cgroup2"},
            {
                "a/cpu.max": "200000 100000",
                "a/b/cpu.max": "max 100000",
                "a/b/c/cpu.max": "600000 100000",
                "beside/cpu.max": "10000 100000",
            },
            "0::/a/b/c\n",
            2.0,
        ),
        (
            {"cpu": "cpu", "unified": "cgroup2"},
            {
                "cpu/box/cpu.cfs_quota_us": "300000",
                "cpu/box/cpu.cfs_period_us": "100000",
                "unified/box/cpu.max": "100000 50000",
            },
            "1:cpu:/box\n0::/box\n",
            2.0,
        ),
        (
            {"cpu": "cpu", "": "cgroup2"},
            {
                "cpu/cpu.cfs_quota_us": "-1",
                "cpu/cpu.cfs_period_us": "100000",
                "box/cpu.max": "max 100000",
                "box/broken/cpu.max": "",
            },
            "1:cpu:/\n0::/box/broken\n",
            None,
        ),
    ],
    ids=["version 2", "version 1", "the smallest up the tree", "both versions", "no quota"],
)
def test_the_quota_is_the_smallest_of_all_groups(
    mounts: dict[str, str], files: dict[str, str], groups: str, quota: float | None, machine: Machine
) -> None:
    for name, kind in mounts.items():
        machine.mount(kind, name=name)
    for file, text in files.items():
        machine.write(file, text)
    assert read_cpu_quota(machine.place_in(groups)) == quota


@pytest.mark.parametrize("group", ["/docker/abc", "/docker/abc/inner", "/somewhere/else", "/../other"])
def test_a_container_that_sees_only_its_own_group_finds_the_quota_at_the_mount(machine: Machine, group: str) -> None:
    machine.mount("cgroup2", root="/docker/abc")
    machine.write("cpu.max", "100000 100000")
    assert read_cpu_quota(machine.place_in(f"0::{group}\n")) == 1.0


def test_names_that_systemd_escapes_are_found(machine: Machine) -> None:
    machine.mount("cgroup2", root=r"/system.slice/a\134x2db.service")
    machine.write("worker/cpu.max", "100000 100000")
    assert read_cpu_quota(machine.place_in("0::/system.slice/a\\x2db.service/worker\n")) == 1.0


def test_a_system_without_control_groups_has_none(tmp_path: Path) -> None:
    assert read_cpu_quota(tmp_path) is None
