"""Device, dtype and threads are chosen with a reason, or refused in one sentence."""

import os

import pytest
import torch

from demo.engines.local.loading.device import choose_device, choose_dtype, choose_threads, device_map
from demo.errors import SettingError
from demo.settings import Settings

BEYOND = f"cuda:{torch.cuda.device_count() + 3}"


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:1"])
def test_a_gpu_that_is_asked_for_and_not_there_is_one_sentence(device: str) -> None:
    with pytest.raises(SettingError) as refusal:
        choose_device(Settings(device=device))
    assert str(refusal.value) == f"--device is {device!r}, but this machine has no CUDA GPU: use auto or cpu."


def test_a_gpu_number_beyond_the_last_is_one_sentence() -> None:
    with pytest.raises(SettingError, match=f"--device is '{BEYOND}', but this machine has "):
        choose_device(Settings(device=BEYOND))


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="needs a machine without an Apple GPU")
def test_an_apple_gpu_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(SettingError, match="has no Apple GPU: use auto or cpu"):
        choose_device(Settings(device="mps"))


@pytest.mark.skipif(
    torch.cuda.is_available() or torch.backends.mps.is_available(), reason="needs a machine without a GPU"
)
def test_without_a_gpu_the_cpu_is_chosen_and_says_why() -> None:
    assert str(choose_device(Settings())) == "device=cpu (no CUDA found)"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_a_gpu_is_chosen_where_there_is_one_and_named() -> None:
    choice = choose_device(Settings())
    assert choice.value == "cuda"
    assert torch.cuda.get_device_name(0) in choice.reason


def test_the_cpu_may_be_asked_for() -> None:
    assert str(choose_device(Settings(device="cpu"))) == "device=cpu (as set)"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_the_dtype_that_is_asked_for_is_taken_and_torch_has_it(dtype: str) -> None:
    choice = choose_dtype(Settings(dtype=dtype), "cpu", "")
    assert (choice.value, choice.reason) == (dtype, "as set")
    assert isinstance(getattr(torch, choice.value), torch.dtype)


def test_on_a_cpu_weights_stay_as_they_are_stored() -> None:
    assert str(choose_dtype(Settings(), "cpu", "")).startswith("dtype=stored (on a CPU: ")


def test_without_stored_weights_the_dtype_is_float32_with_the_reason() -> None:
    choice = str(choose_dtype(Settings(), "cpu", "this processor has no AVX-512"))
    assert choice.startswith("dtype=float32 (on a CPU; ")
    assert choice.endswith("this processor has no AVX-512)")


def test_stored_weights_that_are_set_and_unsupported_are_refused_with_the_reason() -> None:
    with pytest.raises(SettingError, match=r"--dtype is 'stored', but .* no AVX-512: use auto"):
        choose_dtype(Settings(dtype="stored"), "cpu", "this processor has no AVX-512")


def test_the_threads_that_are_asked_for_are_taken() -> None:
    assert str(choose_threads(Settings(threads=3))) == "threads=3 (as set)"


def test_by_itself_no_more_threads_than_usable_cores_are_chosen() -> None:
    choice = choose_threads(Settings(), lambda: None)
    assert 1 <= choice.value <= torch.get_num_threads()
    assert choice.reason == "one per usable core"


@pytest.mark.parametrize(("quota", "threads"), [(0.25, 1), (0.99, 1), (1.0, 1), (1.99, 1), (2.5, 2), (8.0, 3)])
def test_threads_are_at_least_one_and_within_the_quota_of_the_control_group(
    quota: float, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3})
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    choice = choose_threads(Settings(), lambda: quota)
    assert choice.value == threads
    assert choice.reason == ("one per usable core" if quota > 3 else f"the control group allows {quota:g} CPUs")


def test_only_a_plain_cuda_is_spread_over_the_gpus() -> None:
    assert device_map("cuda") == "sequential"
    assert device_map("cuda:1") == {"": "cuda:1"}
    assert device_map("cpu") == {"": "cpu"}
