"""Numbers on their way between this process and the model's device, without waiting for what else runs there."""

import torch
from torch import Tensor


def send(values: Tensor, device: torch.device) -> Tensor:
    """`values` on the device. From pinned memory, since a plain copy would wait for the device's queue."""
    is_upload = device.type == "cuda" and values.device.type == "cpu"
    return values.pin_memory().to(device, non_blocking=True) if is_upload else values.to(device)


class DeviceToHostCopy:
    """A tensor on its way to the CPU, behind everything that was launched before it and nothing that comes later."""

    def __init__(self, values: Tensor) -> None:
        self._landed: torch.cuda.Event | None = None
        if values.device.type != "cuda":
            self._values = values.cpu()
            return
        self._values = torch.empty(values.shape, dtype=values.dtype, pin_memory=True).copy_(values, non_blocking=True)
        self._landed = torch.cuda.Event()
        self._landed.record(torch.cuda.current_stream(values.device))

    def wait(self) -> None:
        """Return when it is here."""
        if self._landed is not None:
            self._landed.synchronize()

    def read(self) -> Tensor:
        """The values, on the CPU."""
        self.wait()
        return self._values
