"""Device, dtype and number of threads, each with the reason for the choice."""

import os
from collections.abc import Callable

import torch

from demo.choice import Choice
from demo.engines.local.loading.control_group import read_cpu_quota
from demo.errors import SettingError
from demo.settings import FOUR_BITS, KERNEL_DTYPES, ROUNDED, STORED, Settings

ASKED = "as set"


def choose_device(settings: Settings) -> Choice[str]:
    """`cpu`, `cuda`, `cuda:N` or `mps`. Raises SettingError where the machine lacks the one that is set."""
    if settings.device == "auto":
        if torch.cuda.is_available():
            return Choice("device", "cuda", f"{torch.cuda.device_count()} x {torch.cuda.get_device_name(0)}")
        if torch.backends.mps.is_available():
            return Choice("device", "mps", "Apple GPU found, no CUDA")
        return Choice("device", "cpu", "no CUDA found")
    kind, _, index = settings.device.partition(":")
    if kind == "cuda" and int(index or 0) >= torch.cuda.device_count():
        raise SettingError(f"--device is {settings.device!r}, but this machine has {_count_gpus()}: use auto or cpu.")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise SettingError("--device is 'mps', but this machine has no Apple GPU: use auto or cpu.")
    return Choice("device", settings.device, ASKED)


def choose_dtype(settings: Settings, device: str, unsupported: str, roundable: bool = False) -> Choice[str]:
    """The name of the weights' torch dtype, or one of KERNEL_DTYPES unless something is `unsupported`.

    `roundable`: whether weights have more than 8 bits, and can be rounded. Raises SettingError where one of
    KERNEL_DTYPES is set and not possible.
    """
    if settings.dtype in KERNEL_DTYPES and unsupported:
        raise SettingError(f"--dtype is '{settings.dtype}', but {unsupported}: use auto.")
    if settings.dtype in (ROUNDED, FOUR_BITS) and not roundable:
        unfit = "the model has no weights of 16 or 32 bits in rows of whole groups"
        raise SettingError(f"--dtype is '{settings.dtype}', but {unfit}: use stored.")
    if settings.dtype != "auto":
        return Choice("dtype", settings.dtype, ASKED)
    if device == "cpu" and not unsupported and roundable:
        return Choice("dtype", ROUNDED, "on a CPU: 8 bits are read in half the time of 16; `stored` does not round")
    if device == "cpu" and not unsupported:
        return Choice("dtype", STORED, "on a CPU: the fewer bits it reads, the faster")
    if device == "cpu":
        return Choice("dtype", "float32", f"on a CPU; weights as they are stored are not possible: {unsupported}")
    if device.startswith("cuda") and torch.cuda.is_bf16_supported(including_emulation=False):
        return Choice("dtype", "bfloat16", "this GPU has it")
    return Choice("dtype", "float16", "this GPU has no bfloat16")


def choose_threads(settings: Settings, read_quota: Callable[[], float | None] = read_cpu_quota) -> Choice[int]:
    """CPU threads for one operation of the model: one per usable core, within the control group's quota."""
    if settings.threads is not None:
        return Choice("threads", settings.threads, ASKED)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    usable, quota = min(cores, torch.get_num_threads()), read_quota()
    if quota is not None and quota < usable:
        return Choice("threads", max(1, int(quota)), f"the control group allows {quota:g} CPUs")
    return Choice("threads", usable, "one per usable core")


def device_map(device: str) -> str | dict[str, str]:
    """accelerate's device map: the next GPUs are used only by a model that is too large for the first."""
    return "sequential" if device == "cuda" else {"": device}


def _count_gpus() -> str:
    count = torch.cuda.device_count()
    return "no CUDA GPU" if count == 0 else f"{count} CUDA GPU{'s' if count > 1 else ''} (counted from 0)"
