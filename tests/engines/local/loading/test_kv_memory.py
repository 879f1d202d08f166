"""The KV cache's memory: as set, else a share of what is free, within the control group's limit."""

from pathlib import Path

from demo.engines.local.loading.kv_memory import choose_kv_memory, list_left
from demo.settings import Settings
from tests.engines.local.loading.test_control_group import Machine


def test_the_memory_is_as_set() -> None:
    assert choose_kv_memory(Settings(kv_cache_memory=12345), "cpu").value == 12345


def test_the_memory_is_else_a_share_of_the_free_memory() -> None:
    choice = choose_kv_memory(Settings(), "cpu")
    assert choice.value > 0
    assert choice.reason == "0.125 of what is free"


def test_the_free_memory_of_every_group_with_a_limit_is_listed(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.mount("cgroup2")
    for group, limit, used in (("a", "1000", "400"), ("a/b", "max", "300"), ("a/b/c", "500", "600")):
        machine.write(f"{group}/memory.max", limit)
        machine.write(f"{group}/memory.current", used)
    assert list(list_left(machine.place_in("0::/a/b/c\n"))) == [0, 600]


def test_version_1_has_files_of_its_own(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.mount("memory", name="memory")
    machine.write("memory/box/memory.limit_in_bytes", "900")
    machine.write("memory/box/memory.usage_in_bytes", "100")
    assert list(list_left(machine.place_in("4:memory:/box\n"))) == [800]
