"""The CPU quota, read from the files of a control group tree that a test has written."""

from pathlib import Path

import pytest

from demo.engines.local.loading.cpu_quota import read_cpu_quota

ELSEWHERE = "25 30 0:5 / /proc rw,nosuid - proc proc rw"


class Machine:
    """A tree of files like that of /sys/fs/cgroup, and what /proc/self would say of it."""

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

    def read(self, groups: str) -> float | None:
        return read_cpu_quota(self.place_in(groups))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_version_2_says_it_in_one_file(machine: Machine) -> None:
    machine.mount("cgroup2")
    machine.write("cpu.max", "150000 100000")
    assert machine.read("0::/\n") == 1.5


def test_version_1_says_it_in_two(machine: Machine) -> None:
    machine.mount("cpu,cpuacct", name="cpu")
    machine.mount("memory", name="memory")
    machine.write("cpu/cpu.cfs_quota_us", "50000")
    machine.write("cpu/cpu.cfs_period_us", "100000")
    assert machine.read("4:memory:/\n3:cpu,cpuacct:/\n") == 0.5


def test_the_smallest_quota_up_the_tree_counts(machine: Machine) -> None:
    machine.mount("cgroup2")
    machine.write("a/cpu.max", "200000 100000")
    machine.write("a/b/cpu.max", "max 100000")
    machine.write("a/b/c/cpu.max", "600000 100000")
    machine.write("beside/cpu.max", "10000 100000")
    assert machine.read("0::/a/b/c\n") == 2.0


def test_both_versions_may_be_there_at_once(machine: Machine) -> None:
    machine.mount("cpu", name="cpu")
    machine.mount("cgroup2", name="unified")
    machine.write("cpu/box/cpu.cfs_quota_us", "300000")
    machine.write("cpu/box/cpu.cfs_period_us", "100000")
    machine.write("unified/box/cpu.max", "100000 50000")
    assert machine.read("1:cpu:/box\n0::/box\n") == 2.0


@pytest.mark.parametrize("group", ["/docker/abc", "/docker/abc/inner", "/somewhere/else", "/../other"])
def test_a_container_that_sees_only_its_own_group_finds_the_quota_at_the_mount(machine: Machine, group: str) -> None:
    machine.mount("cgroup2", root="/docker/abc")
    machine.write("cpu.max", "100000 100000")
    assert machine.read(f"0::{group}\n") == 1.0


def test_names_that_systemd_escapes_are_found(machine: Machine) -> None:
    machine.mount("cgroup2", root=r"/system.slice/a\134x2db.service")
    machine.write("worker/cpu.max", "100000 100000")
    assert machine.read("0::/system.slice/a\\x2db.service/worker\n") == 1.0


def test_no_quota_is_none(machine: Machine) -> None:
    machine.mount("cpu", name="cpu")
    machine.mount("cgroup2")
    machine.write("cpu/cpu.cfs_quota_us", "-1")
    machine.write("cpu/cpu.cfs_period_us", "100000")
    machine.write("box/cpu.max", "max 100000")
    machine.write("box/broken/cpu.max", "")
    assert machine.read("1:cpu:/\n0::/box/broken\n") is None


def test_a_system_without_control_groups_has_none(tmp_path: Path) -> None:
    assert read_cpu_quota(tmp_path) is None
