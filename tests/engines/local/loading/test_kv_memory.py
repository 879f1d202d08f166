"""The KV cache's memory: as set, else a share of what is free, within the control group's limit."""

from demo.engines.local.loading.kv_memory import choose_kv_memory
from demo.settings import Settings


def test_the_memory_is_as_set() -> None:
    assert choose_kv_memory(Settings(kv_cache_memory=12345), "cpu").value == 12345


def test_the_memory_is_else_a_share_of_the_free_memory() -> None:
    choice = choose_kv_memory(Settings(), "cpu")
    assert choice.value > 0
    assert choice.reason == "0.125 of what is free"
