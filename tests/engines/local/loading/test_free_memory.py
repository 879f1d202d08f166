"""Free memory within the limits of control groups, models that do not fit into it, and the KV cache's share of it."""

from pathlib import Path

import pytest

from demo.engines.local.loading.free_memory import check_fits, choose_kv_memory, find_free, list_left
from demo.errors import ModelError
from demo.settings import Settings
from tests.engines.local.loading.test_control_group import Machine


def test_a_model_that_does_not_fit_is_told_its_size_and_what_is_free() -> None:
    check_fits("small", find_free("cpu") // 2, "float32", "cpu")
    with pytest.raises(ModelError, match=r"^large takes 9e\+06 GB in float32, and [0-9.]+ GB are free on cpu: give a"):
        check_fits("large", 9 * 10**15, "float32", "cpu")


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


def test_the_kv_caches_memory_is_as_set_or_a_share_of_the_free_memory() -> None:
    assert choose_kv_memory(Settings(kv_cache_memory=12345), "cpu").value == 12345
    choice = choose_kv_memory(Settings(), "cpu")
    assert choice.value > 0
    assert choice.reason == "0.125 of what is free"
