"""Copies between host and device that do not wait for the other operations of the device."""

import torch
from torch import Tensor


def send(values: Tensor, device: torch.device) -> Tensor:
    """`values` on the device, copied from pinned memory: a copy from pageable memory waits for the device."""
    is_upload = device.type == "cuda" and values.device.type == "cpu"
    return values.pin_memory().to(device, non_blocking=True) if is_upload else values.to(device)


class DeviceToHostCopy:
    """An asynchronous copy of a tensor to the CPU. It waits for earlier operations of the device only."""

    def __init__(self, values: Tensor) -> None:
        self._copied: torch.cuda.Event | None = None
        if values.device.type != "cuda":
            self._values = values.cpu()
            return
        self._values = torch.empty(values.shape, dtype=values.dtype, pin_memory=True).copy_(values, non_blocking=True)
        self._copied = torch.cuda.Event()
        self._copied.record(torch.cuda.current_stream(values.device))

    def wait(self) -> None:
        """Return when the copy is complete."""
        if self._copied is not None:
            self._copied.synchronize()

    def read(self) -> Tensor:
        """The values, on the CPU."""
        self.wait()
        return self._values
