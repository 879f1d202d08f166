"""Private names of torch. Where a later version lacks one, a step takes longer to compile, and nothing else changes."""

from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor

if TYPE_CHECKING:
    from torch.cuda import _POOL_HANDLE

PoolHandle: TypeAlias = "_POOL_HANDLE"  # what the public `torch.cuda.graph_pool_handle` returns


def mark_dynamic(*tensors: Tensor) -> None:
    """Let torch.compile make one program for all sizes of these tensors, beside one for a single row."""
    mark: Any = getattr(torch._dynamo, "maybe_mark_dynamic", None)
    for tensor in tensors if mark else ():
        for dimension in range(tensor.dim()):
            mark(tensor, dimension)


def end_allocation(pool: PoolHandle) -> None:
    """Take the allocator out of a capture that failed. Raises RuntimeError where torch has done so."""
    end: Any = getattr(torch._C, "_cuda_endAllocateToPool", None)
    if end:
        end(torch.cuda.current_device(), pool)
