"""A stand-in for CUDA graphs on the CPU: what a captured computation may do there, and what becomes of its memory.

Operations are recorded while the computation runs once, and each launch repeats them, without its Python, on the same
storages. After each launch, memory without references is NaN: a launch of any graph of the pool may overwrite it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only

from demo.engines.local.runners.transformers.cuda_graphs.capture import GraphCapturer

T = TypeVar("T")

# They wait for a result, or their output's size depends on one: no stream that is being captured allows that.
WAITING = {
    "item",
    "_local_scalar_dense",
    "is_nonzero",
    "equal",
    "nonzero",
    "argwhere",
    "masked_select",
    "_unique2",
    "unique_dim",
    "bincount",
}
POISON = 2**40 + 12345  # where there is no NaN


@dataclass(frozen=True, slots=True)
class Operation:
    """One call, and which of its outputs are memory of their own rather than views of its inputs."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    outputs: list[Tensor]

    def repeat(self) -> None:
        """Compute it again, into the same memory."""
        results = _find_tensors(self.function(*self.arguments, **self.options))
        for kept, result in zip(self.outputs, results, strict=True):
            if kept.untyped_storage().data_ptr() != result.untyped_storage().data_ptr():
                kept.copy_(result)


class Storage:
    """Memory that a graph touches, with our own views of it."""

    def __init__(self, tensor: Tensor) -> None:
        self._whole = _flatten_storage(tensor)
        self._storage = tensor.untyped_storage()
        self._held_by_us = 2  # the two above
        self._is_free = False

    def view(self, tensor: Tensor) -> Tensor:
        """A view of the same memory, which does not count as somebody's."""
        self._held_by_us += 1
        return tensor.detach()

    def spoil(self, is_written: bool) -> None:
        """Make it NaN where it has no other references, if that is new or it `is_written` again."""
        was_free = self._is_free
        # A pool never takes back what it has given away: it is free for good.
        self._is_free = was_free or torch._C._storage_Use_Count(self._storage._cdata) == self._held_by_us
        if self._is_free and (is_written or not was_free):
            is_real = self._whole.dtype.is_floating_point
            self._whole.fill_(torch.nan if is_real else self._whole.dtype == torch.bool or POISON)


class Pool:
    """The memory of all graphs, by address."""

    def __init__(self) -> None:
        self._storages: dict[int, Storage] = {}

    def view(self, tensor: Tensor) -> Tensor:
        """A view of a tensor, noted as ours."""
        address = _find_address(tensor)
        if address not in self._storages:
            self._storages[address] = Storage(tensor)
        return self._storages[address].view(tensor)

    def spoil(self, written: set[int]) -> None:
        """Spoil memory without references, after a launch that has written to these addresses."""
        for address, storage in self._storages.items():
            storage.spoil(address in written)


class Recording(TorchDispatchMode):
    """Notes operations. What it changes of memory that was there before is as before at its end."""

    def __init__(self, pool: Pool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: list[Operation] = []
        self._pool = pool
        self.written: set[int] = set()
        self._saved: dict[int, tuple[Tensor, Tensor]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        options = kwargs or {}
        _refuse_waiting(func, args)
        if func._schema.is_mutable:
            self._save(args, options)
        result = func(*args, **options)
        outputs = _find_tensors(result)
        known = {_find_address(each) for each in _find_tensors((args, options))}
        fresh = {_find_address(each) for each in outputs} - known
        self.written |= fresh
        is_empty = "empty" in func._schema.name  # nothing is computed: its memory keeps what it held
        if (fresh and not is_empty) or func._schema.is_mutable:
            view = self._pool.view
            arguments, options = tree_map_only(Tensor, view, (args, options))
            self.operations.append(Operation(func, arguments, options, [view(each) for each in outputs]))
        return result

    def restore(self) -> None:
        """Undo what a capture does not do, since it only records."""
        for tensor, content in self._saved.values():
            tensor.copy_(content)
        self._saved.clear()

    def _save(self, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        for tensor in _find_tensors((args, options)):
            address = _find_address(tensor)
            if address not in self.written and address not in self._saved:
                whole = _flatten_storage(tensor)
                self._saved[address] = whole, whole.clone()


@dataclass
class StandInCapturer(GraphCapturer):
    """Captures as `GraphCapturer` does on a GPU; all its graphs share one pool."""

    pool: Pool = field(default_factory=Pool)
    unlaunched: set[int] = field(default_factory=set)  # graphs, numbered as they were captured
    _count: int = 0

    def capture(self, compute: Callable[[], T]) -> Callable[[], T]:
        """`compute`, recorded. Raises RuntimeError where it waits for a result."""
        compute()
        recording = Recording(self.pool)
        with recording:
            result = compute()
        recording.restore()
        self.pool.spoil(recording.written)
        number = self._count
        self._count += 1
        self.unlaunched.add(number)

        def launch() -> T:
            self.unlaunched.discard(number)
            for operation in recording.operations:
                operation.repeat()
            self.pool.spoil(recording.written)
            return result

        return launch


def _refuse_waiting(func: Any, args: tuple[Any, ...]) -> None:
    name = func._schema.name.removeprefix("aten::")
    by_mask = name.startswith("index") and any(each.dtype == torch.bool for each in _find_tensors(args[1:2]))
    # They bring a number from the CPU in a tensor, by a copy that waits.
    uploads = name == "lift_fresh" or (name == "where" and "Scalar" in func._schema.overload_name)
    if name in WAITING or by_mask or uploads:
        raise RuntimeError(f"{name} is not permitted when a stream is capturing")


def _find_tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_flatten(tree)[0] if isinstance(leaf, Tensor)]


def _find_address(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _flatten_storage(tensor: Tensor) -> Tensor:
    storage = tensor.untyped_storage()
    count = storage.nbytes() // tensor.element_size()
    return tensor.detach().as_strided((count,), (1,), 0)
