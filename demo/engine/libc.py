"""What the system's C library does and Python does not offer. Where it is another, nothing happens.

Knows no PyTorch: it need not be there.
"""

import ctypes
import os
import sys
import threading
from importlib.util import find_spec
from pathlib import Path


def preload_torch() -> None:
    """Begin to load PyTorch's largest library in a thread, while Python imports what the page needs.

    The import would take a fifth of a second for it, and hold Python's lock meanwhile.
    """
    spec = find_spec("torch")
    if sys.platform == "linux" and spec is not None and spec.origin is not None:
        library = Path(spec.origin).parent / "lib" / "libtorch_cpu.so"
        threading.Thread(target=_load, args=[library], name="preload", daemon=True).start()


def release_memory() -> None:
    """Give back to the system what has been freed: glibc would keep what loading took for a moment."""
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "malloc_trim"):
        library.malloc_trim(0)


def _load(library: Path) -> None:
    # Where it fails, the import will say why.
    ctypes.CDLL(None).dlopen(os.fsencode(library), os.RTLD_NOW)
